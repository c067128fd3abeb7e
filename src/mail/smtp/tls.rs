//! TLS to a mail server: with whose certificates.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, WantsVerifier,
};

use crate::settings::{BYTE_ORDER_MARK, BadSetting};

/// A certificate that one of the public authorities, or the operator's, has signed for the host.
pub(super) fn verified(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, BadSetting> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let refuse = |reason: String| BadSetting::new("--smtp-ca-file", reason);
        let pem = std::fs::read(file).map_err(|error| refuse(format!("cannot read {}: {error}", file.display())))?;
        // Or the line below it would be none that begins a certificate.
        let pem = pem.strip_prefix(BYTE_ORDER_MARK.as_bytes()).unwrap_or(&pem);
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates = certificates.unwrap_or_default();
        if certificates.is_empty() {
            return Err(refuse(format!("there is no certificate (PEM) in {}", file.display())));
        }
        for certificate in certificates {
            let unusable =
                |error: Error| refuse(format!("a certificate in {} cannot be used: {error}", file.display()));
            roots.add(certificate).map_err(unusable)?;
        }
    }
    let config = builder(&Arc::new(ring::default_provider()))?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

/// Any certificate: for where there may be no encryption at all.
pub(super) fn any() -> Result<Arc<ClientConfig>, BadSetting> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Arc::new(Anybody(provider.clone()));
    let config = builder(&provider)?.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Ok(Arc::new(config))
}

fn builder(provider: &Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, BadSetting> {
    let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
    builder.map_err(|error| BadSetting::new("--smtp-url", error.to_string()))
}

/// Takes any certificate, whose key its holder has.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
