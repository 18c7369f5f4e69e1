"""Where `distill.architecture` is `same`: dvc.yaml names the file of a student's architecture by that parameter, and
this one says nothing that its teacher's does not."""
