//! A certificate authority of the tests' own, and providers behind TLS whom it vouches for.

use dragoman::simulate::{Keep, Options, Protocols, Simulator, Tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// An authority that signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    ///
    /// # Panics
    /// When there is no entropy.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another")]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // The default name is that of the certificates as well, which would make them look self-signed.
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().expect("entropy");
        let pem = params.self_signed(&key).expect("a key that signs").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A provider with a certificate for this name.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn provider(&self, name: &str, protocols: Protocols) -> Simulator {
        let key = KeyPair::generate().expect("entropy");
        let certificate = CertificateParams::new(vec![name.to_owned()])
            .expect("a name")
            .signed_by(&key, &self.issuer)
            .expect("a key that signs");
        let tls = Tls {
            certificates: vec![certificate.der().clone()],
            key: key.serialize_der().try_into().expect("a private key"),
        };
        Simulator::start(Options { tls: Some(tls), protocols, keep: Keep::Whole, ..Options::default() })
            .expect("a free port")
    }
}
