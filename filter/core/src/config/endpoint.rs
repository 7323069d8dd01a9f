//! The Envoy clusters of a provider: one for each base URL, and a twin of it that does not carry the module. Renderer and module
//! derive the names alike.
//!
//! Why the twins: a call that the module makes by itself into a cluster with the same module would enter its VM a second time, which
//! ends the VM. And a request with one target needs no attempt of its own behind the router.

use alloc::{format, string::String, vec, vec::Vec};

use super::raw::{BaseUrl, Provider, Retry};
use crate::map::HashMap;
use crate::plan::Mode;

/// Where a provider is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// The cluster that carries the module where attempts run behind the router.
    pub cluster: String,
    /// Where it leads.
    pub base_url: &'a BaseUrl,
}

impl Endpoint<'_> {
    /// The cluster that never carries the module.
    #[must_use]
    pub fn twin(&self) -> String {
        format!("{}.plain", self.cluster)
    }
}

impl Provider {
    /// Where it is itself, whatever its accounts say.
    #[must_use]
    pub(crate) fn endpoint(&self) -> Endpoint<'_> {
        self.at(0, (&self.base_url, self.cluster.as_ref()))
    }

    /// All places where it is reached, its own first.
    #[must_use]
    pub fn endpoints(&self) -> Vec<Endpoint<'_>> {
        self.places().0
    }

    /// Whether its clusters have twins. Without the module they would be their own; and to a cluster of the operator's own
    /// nobody adds another.
    #[must_use]
    pub fn has_twins(&self, retry: &Retry) -> bool {
        self.cluster.is_none() && self.mode(retry) == Mode::Native
    }

    /// The cluster of a place that does not carry the module. One of the operator's that does has no other beside it.
    #[must_use]
    pub fn plain_cluster(&self, endpoint: &Endpoint<'_>, retry: &Retry) -> Option<String> {
        match self.mode(retry) {
            Mode::Native => self.has_twins(retry).then(|| endpoint.twin()),
            Mode::Dispatch => Some(endpoint.cluster.clone()),
        }
    }

    /// The same, and by its place among the accounts where each account is used.
    #[must_use]
    pub(crate) fn places(&self) -> (Vec<Endpoint<'_>>, Vec<usize>) {
        let own = (&self.base_url, self.cluster.as_ref());
        let mut endpoints = vec![self.endpoint()];
        let mut known: HashMap<_, usize> = HashMap::from_iter([(own, 0)]);
        let places = self.accounts.iter().map(|account| {
            let place = (account.base_url.as_ref().unwrap_or(own.0), account.cluster.as_ref().or(own.1));
            *known.entry(place).or_insert_with(|| {
                endpoints.push(self.at(endpoints.len(), place));
                endpoints.len().saturating_sub(1)
            })
        });
        let places = places.collect();
        (endpoints, places)
    }

    /// A full stop cannot stand in a provider's name.
    fn at<'a>(&self, index: usize, (base_url, cluster): (&'a BaseUrl, Option<&String>)) -> Endpoint<'a> {
        // Not by its name, which may be any text.
        let environment = self.environment.filter(|_| self.is_elsewhere);
        let environment = environment.map(|place| format!(".e{place}")).unwrap_or_default();
        let cluster = match (cluster, index) {
            (Some(cluster), _) => cluster.clone(),
            (None, 0) => format!("dragoman_{}{environment}", self.name),
            (None, index) => format!("dragoman_{}{environment}.{index}", self.name),
        };
        Endpoint { cluster, base_url }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn a_base_url_is_a_cluster_whoever_uses_it() {
        let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "http://a/v1", "accounts": [
            {"name": "one", "credential": {"value": "k"}},
            {"name": "two", "credential": {"value": "k"}, "base_url": "http://b/v1"},
            {"name": "three", "credential": {"value": "k"}, "base_url": "http://a/v1"},
            {"name": "four", "credential": {"value": "k"}, "base_url": "http://b/v1"}]}}}"#;
        let provider = parse(file).unwrap().providers.remove(0);
        let names: Vec<_> = provider.endpoints().into_iter().map(|endpoint| endpoint.cluster).collect();
        assert_eq!(names, ["dragoman_p", "dragoman_p.1"]);
        assert_eq!(provider.places().1, [0, 1, 0, 1]);
        assert_eq!(provider.endpoints()[1].twin(), "dragoman_p.1.plain");
    }

    #[test]
    fn a_cluster_of_the_operators_own_is_for_all_accounts() {
        let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "http://a/v1", "cluster": "mine", "accounts": [
            {"name": "one", "credential": {"value": "k"}, "base_url": "http://b/v1"}]}}}"#;
        let provider = parse(file).unwrap().providers.remove(0);
        assert!(provider.endpoints().iter().all(|endpoint| endpoint.cluster == "mine"));
    }

    #[test]
    fn an_account_may_have_a_cluster_of_its_own_beside_it() {
        let file = r#"{"providers": {"p": {"kind": "openai", "base_url": "http://a/v1", "cluster": "mine", "accounts": [
            {"name": "one", "credential": {"value": "k"}, "base_url": "http://b/v1", "cluster": "other"},
            {"name": "two", "credential": {"value": "k"}},
            {"name": "three", "credential": {"value": "k"}, "base_url": "http://b/v1", "cluster": "other"}]}}}"#;
        let provider = parse(file).unwrap().providers.remove(0);
        let (endpoints, places) = provider.places();
        let names: Vec<_> = endpoints.iter().map(|endpoint| endpoint.cluster.as_str()).collect();
        assert_eq!((names, places), (vec!["mine", "other"], vec![1, 0, 1]));
    }
}
