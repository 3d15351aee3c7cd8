package trust

import (
	"crypto/sha256"
	"testing"

	"chancery.example/testca"
)

func TestMemory(t *testing.T) {
	root := testca.New(t).Root()
	alice := root.Leaf("alice@example.com")
	m := NewMemory(100)
	o := Options{Anchors: certs(root.Cert), Memory: m}
	check(t, alice.Cert, o)
	if len(m.young) != 1 {
		t.Fatalf("%d signatures are remembered, want 1", len(m.young))
	}
	check(t, alice.Cert, o)
	t.Run("time is judged anew", func(t *testing.T) {
		o := o
		o.At = testca.End.Add(hour)
		check(t, alice.Cert, o, Expired)
	})
	t.Run("another certificate under the same key is another", func(t *testing.T) {
		forged := *alice.Cert
		forged.RawTBSCertificate = append([]byte(nil), forged.RawTBSCertificate...)
		forged.RawTBSCertificate[len(forged.RawTBSCertificate)-1] ^= 1
		forged.Raw = append([]byte(nil), forged.Raw...)
		forged.Raw[0] ^= 1
		check(t, &forged, o, BadSignature)
	})
	t.Run("another key is another", func(t *testing.T) {
		o := o
		o.Anchors = certs(testca.New(t).Root().Cert)
		check(t, alice.Cert, o, UnknownIssuer)
	})
	t.Run("a signature that does not hold is not remembered", func(t *testing.T) {
		if len(m.young) != 1 {
			t.Errorf("%d signatures are remembered, want 1", len(m.young))
		}
	})
	t.Run("it does not grow, and keeps what is used", func(t *testing.T) {
		m := NewMemory(100)
		used := sha256.Sum256([]byte("used"))
		m.keep(used)
		for i := range 1000 {
			m.keep(sha256.Sum256([]byte{byte(i), byte(i >> 8)}))
			if !m.has(used) {
				t.Fatalf("the one in use was forgotten after %d others", i)
			}
		}
		if n := len(m.young) + len(m.old); n > 100 {
			t.Errorf("%d signatures are remembered, want 100 at most", n)
		}
	})
}
