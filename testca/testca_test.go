package testca

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestAHierarchyVerifies(t *testing.T) {
	leaf := New(t).Root(P384).Issuing().Leaf("alice@example.com", RSA2048)
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(leaf.Issuer.Root().Cert)
	for _, cert := range leaf.Intermediates() {
		between.AddCert(cert)
	}
	chains, err := leaf.Cert.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between,
		CurrentTime: Start.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}})
	if err != nil || len(chains[0]) != 3 {
		t.Fatalf("chains %v, error %v; want one of three certificates", chains, err)
	}
	crl, err := x509.ParseRevocationList(leaf.Issuer.CRL(Start, Revoked{Leaf: leaf, At: Start}))
	if err != nil || len(crl.RevokedCertificateEntries) != 1 || crl.CheckSignatureFrom(leaf.Issuer.Cert) != nil {
		t.Fatalf("CRL %v, error %v", crl, err)
	}
}
