//! What a process needs before it can read documents; composes each module's settings.
