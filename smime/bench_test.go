package smime

import (
	"io"
	"strings"
	"testing"

	"chancery.example/testca"
	"chancery.example/trust"
)

// The work of a gateway on a mail of 10 KB, one core, in process.

func benchmarkMail() string {
	return replaceOnce(letter, "Dear Bob,", strings.Repeat("0123456789 lorem ipsum dolor sit amet\r\n", 256))
}

func replaceOnce(text, old, new string) string { return strings.Replace(text, old, new, 1) }

func BenchmarkSign(b *testing.B) {
	issuing := testca.New(b).Root().Issuing()
	for name, leaf := range map[string]*testca.Leaf{"P-256": issuing.Leaf("alice@example.com"), "RSA-2048": issuing.Leaf("alice@example.com", testca.RSA2048)} {
		b.Run(name, func(b *testing.B) {
			mail, opts := benchmarkMail(), signer(leaf)
			b.ReportAllocs()
			for b.Loop() {
				if err := Sign(b.Context(), strings.NewReader(mail), io.Discard, opts); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	root := testca.New(b).Root()
	issuing := root.Issuing()
	for name, leaf := range map[string]*testca.Leaf{"P-256": issuing.Leaf("alice@example.com"), "RSA-2048": issuing.Leaf("alice@example.com", testca.RSA2048)} {
		b.Run(name, func(b *testing.B) {
			var text strings.Builder
			if err := Sign(b.Context(), strings.NewReader(benchmarkMail()), &text, signer(leaf)); err != nil {
				b.Fatal(err)
			}
			opts := (&cast{root: root}).anchors()
			opts.Memory = trust.NewMemory(100) // as a gateway has it
			b.ReportAllocs()
			for b.Loop() {
				report, err := Open(b.Context(), strings.NewReader(text.String()), nil, opts)
				if err != nil || report.Verdict != Valid {
					b.Fatal(report, err)
				}
			}
		})
	}
}

func BenchmarkEncryptAndDecrypt(b *testing.B) {
	bob := testca.New(b).Root().Issuing().Leaf("bob@example.com", testca.RSA2048)
	var text strings.Builder
	if err := Encrypt(b.Context(), strings.NewReader(benchmarkMail()), &text, recipients(bob)); err != nil {
		b.Fatal(err)
	}
	b.Run("encrypt", func(b *testing.B) {
		mail := benchmarkMail()
		b.ReportAllocs()
		for b.Loop() {
			if err := Encrypt(b.Context(), strings.NewReader(mail), io.Discard, recipients(bob)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decrypt", func(b *testing.B) {
		opts := Options{Keys: keysOf(bob)}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Open(b.Context(), strings.NewReader(text.String()), io.Discard, opts); err != nil {
				b.Fatal(err)
			}
		}
	})
}
