package trust

import (
	"context"
	"testing"

	"chancery.example/testca"
)

// BenchmarkEvaluate judges a mail certificate two steps below its root, with and without lists and Memory.
func BenchmarkEvaluate(b *testing.B) {
	root := testca.New(b).Root()
	issuing := root.Issuing()
	alice := issuing.Leaf("alice@example.com")
	o := Options{Anchors: certs(root.Cert), Intermediates: alice.Intermediates(), At: now}
	lists := []*CRL{crl(b, root.CRL(now)), crl(b, issuing.CRL(now))}
	for _, mode := range []struct {
		name   string
		mode   RevocationMode
		memory *Memory
	}{{"off", Off, nil}, {"hard", Hard, nil}, {"off with memory", Off, NewMemory(100)}, {"hard with memory", Hard, NewMemory(100)}} {
		b.Run(mode.name, func(b *testing.B) {
			o := o
			o.Revocation, o.CRLs, o.Memory = mode.mode, lists, mode.memory
			b.ReportAllocs()
			for b.Loop() {
				if r := Evaluate(context.Background(), alice.Cert, o); !r.Trusted {
					b.Fatal(r.Reasons)
				}
			}
		})
	}
}
