package lint

import (
	"crypto/x509"
	"testing"

	"chancery.example/ca/profile"
)

// What lint costs for one certificate, in its parts.
func BenchmarkCheck(b *testing.B) {
	h := newHouse(b, "P-384", "P-256")
	for _, kind := range []string{"P-256", "RSA-2048"} {
		tbs := h.subscriber(b, "mv-strict", kind, profile.Dual, profile.Private)
		c := h.contextOf(b, "mv-strict", profile.Private)
		p, _ := parse(tbs)
		cert, err := x509.ParseCertificate(p.certificate())
		if err != nil {
			b.Fatal(err)
		}
		twin := p.twin(c.Type, c.Generation).certificate()
		b.Run(kind+"/all", func(b *testing.B) {
			for b.Loop() {
				Check(tbs, c)
			}
		})
		b.Run(kind+"/ours", func(b *testing.B) {
			for b.Loop() {
				checkOwn(p, cert, c)
			}
		})
		b.Run(kind+"/zlint", func(b *testing.B) {
			for b.Loop() {
				checkZlint(twin, Subscriber)
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	h := newHouse(b, "P-384", "P-256")
	for _, kind := range []string{"P-256", "RSA-2048"} {
		h.subscriber(b, "mv-strict", kind, profile.Dual, profile.Private)
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				h.subscriber(b, "mv-strict", kind, profile.Dual, profile.Private)
			}
		})
	}
}
