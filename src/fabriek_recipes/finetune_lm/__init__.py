"""Fine-tunes a language model on questions and answers, and scores it before and after."""
