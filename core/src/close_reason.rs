//! Why a connection ended.
