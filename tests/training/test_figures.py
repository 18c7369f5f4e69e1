from components.training.figures import curves_figure


def test_every_training_is_a_line_in_every_panel() -> None:
    histories = {"teacher": {"loss": [(1, 2.0), (2, 1.0)]}, "scratch": {"loss": [(1, 2.5)], "macro_f1": [(2, 0.5)]}}
    figure = curves_figure(histories, ["loss", "macro_f1"])
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "macro f1"]
    assert all(len(axes.lines) == 2 for axes in figure.axes)
