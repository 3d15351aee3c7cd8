package trust

import (
	"context"
	"testing"

	"chancery.example/testca"
)

func FuzzParseCRL(f *testing.F) {
	root := testca.New(f).Root()
	leaf := root.Leaf("alice@example.com")
	f.Add(root.CRL(now))
	f.Add(root.CRL(now, testca.Revoked{Leaf: leaf, At: now, Reason: 1}))
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := ParseCRL(der)
		if err != nil {
			return
		}
		Evaluate(context.Background(), leaf.Cert, Options{Anchors: certs(root.Cert), At: now, Revocation: Hard, CRLs: []*CRL{l}})
	})
}

// FuzzEvaluate feeds a stranger's certificate, as end certificate and as issuer, with its signature taken for good
// nowhere.
func FuzzEvaluate(f *testing.F) {
	root := testca.New(f).Root()
	issuing := root.Issuing()
	leaf := issuing.Leaf("alice@example.com")
	f.Add(leaf.Cert.Raw)
	f.Add(issuing.Cert.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		cert, err := ParseCertificate(der)
		if err != nil {
			return
		}
		o := Options{Anchors: certs(root.Cert), Intermediates: certs(issuing.Cert, cert), At: now, Revocation: Soft}
		if r := Evaluate(context.Background(), cert, o); r.Trusted && string(cert.RawTBSCertificate) != string(leaf.Cert.RawTBSCertificate) && string(cert.RawTBSCertificate) != string(issuing.Cert.RawTBSCertificate) {
			t.Fatalf("a stranger is trusted: %x", der)
		}
		Evaluate(context.Background(), leaf.Cert, o)
		o.Anchors = certs(cert)
		if r := Evaluate(context.Background(), cert, o); len(r.Chain) == 0 {
			t.Fatal("no chain")
		}
		c := read(cert)
		validate([]*certificate{c, c, c}, &o, new(int))
	})
}
