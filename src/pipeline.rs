//! The compiled repo, pure: what happens to the events of a request, stage by stage.
