//! Rules of this module, one table each.
