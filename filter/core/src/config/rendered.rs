//! What Envoy's own configuration was rendered from, and a running Envoy keeps, whatever is changed while it runs: its clusters, and
//! how long its routes wait.
//!
//! A cluster of the operator's own is none of it: he says where it leads.

use alloc::{string::String, vec::Vec};
use core::time::Duration;

use super::raw::{Config, Provider};
use crate::plan::Mode;

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct Rendered {
    clusters: Vec<Cluster>,
    first_byte: Duration,
    idle: Duration,
    flex: Duration,
    deadline: Duration,
}

/// A cluster, and all that it was rendered from.
#[derive(Debug, PartialEq)]
struct Cluster {
    provider: String,
    name: String,
    mode: Mode,
    /// TLS, host and port.
    place: (bool, String, u16),
    total: Duration,
}

impl Rendered {
    /// What Envoy has where it was started with this.
    pub(crate) fn of(mut config: Config) -> Self {
        let mut clusters = Vec::new();
        add_clusters(&config, &mut clusters);
        for place in 0..config.environments.len() {
            let outside = config.enter(place);
            add_clusters(&config, &mut clusters);
            config.leave(outside);
        }
        let longest = |of: fn(&Provider) -> Duration| config.providers.iter().map(of).max().unwrap_or_default();
        Self {
            clusters,
            first_byte: config.longest_first_byte(),
            idle: longest(|provider| provider.timeouts.idle),
            flex: longest(|provider| provider.timeouts.flex),
            deadline: config.longest_deadline(),
        }
    }

    /// Whether the routes wait as long as in another one. What is shorter is asked for with each request, where it can be.
    pub(crate) fn waits_as(&self, other: &Self) -> bool {
        (self.first_byte, self.idle) == (other.first_byte, other.idle)
            && self.flex <= other.flex
            && self.deadline <= other.deadline
    }

    /// Whether another one has all clusters that this provider has here.
    pub(crate) fn leads_as(&self, other: &Self, provider: &str) -> bool {
        let mut own = self.clusters.iter().filter(|cluster| cluster.provider == provider);
        own.all(|cluster| other.clusters.contains(cluster))
    }
}

/// The providers, as they are at one level of the file.
fn add_clusters(config: &Config, clusters: &mut Vec<Cluster>) {
    for provider in config.providers.iter().filter(|provider| provider.cluster.is_none()) {
        for endpoint in provider.endpoints() {
            let url = endpoint.base_url;
            clusters.push(Cluster {
                provider: provider.name.clone(),
                name: endpoint.cluster,
                mode: provider.mode(&config.retry),
                place: (url.tls, url.host.clone(), url.port),
                total: provider.timeouts.total,
            });
        }
    }
}
