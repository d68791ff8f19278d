//! Scenarios of the engine on virtual time.
