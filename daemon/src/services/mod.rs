//! Services: what the daemon does, on ports only. No adapter is named here.
