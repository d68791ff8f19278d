//! What is measured: each scenario drives a load against a running target and yields figures.
