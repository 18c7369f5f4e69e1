"""What a language model learns from unlabelled text: a file an objective, `components.modeling.kinds` names them."""
