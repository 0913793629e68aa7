//! The bytes of a request on their way: as they are, or encrypted by TLS. Only bytes: a transport carries them.
//!
//! Certificates are not judged: the connection to the host has already proven who answers there, and a certificate is made
//! out for visitors, whose way is another one.

use std::io::{ErrorKind, Read};
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};

use super::Request;

/// A request in progress, between its plain text and the bytes on the connection.
pub struct WebStream {
    tls: Option<Box<ClientConnection>>,
    /// Bytes to send, of which `sent` are gone. They stay at one place in memory until all of them are.
    block: Vec<u8>,
    sent: usize,
}

impl WebStream {
    pub fn new(request: &Request) -> Result<Self, String> {
        let Some(name) = &request.tls else {
            return Ok(Self { tls: None, block: request.bytes.clone(), sent: 0 });
        };
        let wrong = |_| format!("`{name}` is not a valid name for TLS");
        let name = ServerName::try_from(name.clone()).map_err(wrong)?;
        let mut tls = ClientConnection::new(config()?, name).map_err(|error| failure(&error))?;
        // It is sent when the handshake is over.
        tls.set_buffer_limit(None);
        std::io::Write::write_all(&mut tls.writer(), &request.bytes).map_err(|error| error.to_string())?;
        Ok(Self { tls: Some(Box::new(tls)), block: Vec::new(), sent: 0 })
    }

    /// The bytes to send next.
    pub fn outgoing(&mut self) -> &[u8] {
        if self.sent == self.block.len()
            && let Some(tls) = &mut self.tls
        {
            self.block.clear();
            self.sent = 0;
            while tls.wants_write() {
                // A vector accepts everything.
                let _ = tls.write_tls(&mut self.block);
            }
        }
        &self.block[self.sent..]
    }

    /// Notes that the first `n` of these bytes were sent.
    pub fn sent(&mut self, n: usize) {
        self.sent += n;
    }

    /// Gives up sending: the application no longer reads.
    pub fn stop(&mut self) {
        self.sent = self.block.len();
    }

    /// Appends the plain text of bytes that have arrived.
    pub fn receive(&mut self, mut bytes: &[u8], plain: &mut Vec<u8>) -> Result<(), String> {
        let Some(tls) = &mut self.tls else {
            plain.extend(bytes);
            return Ok(());
        };
        while !bytes.is_empty() {
            if tls.read_tls(&mut bytes).map_err(|error| error.to_string())? == 0 {
                break;
            }
            tls.process_new_packets().map_err(|error| failure(&error))?;
            match tls.reader().read_to_end(plain) {
                // There is no more for now.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                ended => drop(ended.map_err(|error| error.to_string())?),
            }
        }
        Ok(())
    }

    /// Whether a TLS handshake has begun and is not over.
    pub fn is_shaking_hands(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }
}

fn config() -> Result<Arc<ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();
    let make = || {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let verifier = Arc::new(AnyCertificate(provider));
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    };
    CONFIG.get_or_init(make).clone()
}

/// Why a handshake failed.
fn failure(error: &Error) -> String {
    match error {
        Error::InvalidMessage(_) => "the server does not speak TLS there".to_owned(),
        Error::AlertReceived(alert) => format!("the server refused TLS ({alert:?})"),
        error => format!("TLS failed: {error}"),
    }
}

/// Accepts any certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer,
        _: &[CertificateDer],
        _: &ServerName,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
