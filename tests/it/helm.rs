//! The chart `helm/weir`, rendered by a real helm and decoded by Kubernetes' own types, for the
//! default and for the values in `helm/weir/ci`.

mod agrees;
mod refuses;
mod renders;
mod tools;
