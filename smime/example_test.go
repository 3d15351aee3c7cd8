package smime_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"chancery.example/cms"
	"chancery.example/smime"
	"chancery.example/testca"
)

// Alice signs a mail and encrypts it to Bob, who opens and judges it.
func Example() {
	var t testing.T // certificates for the example; everybody else has theirs
	ca := testca.New(&t).Root()
	alice, bob := ca.Leaf("alice@example.com"), ca.Leaf("bob@example.com")
	ctx, now := context.Background(), time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

	mail := strings.NewReader("From: alice@example.com\r\nTo: bob@example.com\r\nSubject: Lunch\r\n\r\nAt noon.\r\n")
	batch, err := smime.Write(ctx, mail, smime.WriteOptions{
		Sign: &smime.SignOptions{Signers: []cms.Signer{{Certificate: alice.Cert, Key: alice.Key}}, At: now},
		To:   []smime.Correspondent{{Address: "bob@example.com", Certificates: []*x509.Certificate{bob.Cert}}},
		At:   now, ProtectHeaders: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer batch.Close()
	var sent, text bytes.Buffer
	if err := batch.Messages[0].Write(ctx, &sent); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("outside:", strings.Contains(sent.String(), "Subject: [...]"), strings.Contains(sent.String(), "Lunch"))

	report, err := smime.Open(ctx, &sent, &text, smime.Options{
		Keys:    []cms.DecryptionKey{{Certificate: bob.Cert, Key: bob.Key}},
		Anchors: []*x509.Certificate{ca.Cert}, At: now, Unwrap: smime.Content,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(report.Verdict, "from", report.From)
	fmt.Println(report.ProtectedHeaders["subject"].Value, strings.HasSuffix(text.String(), "At noon.\r\n"))
	// Output:
	// outside: true false
	// valid from alice@example.com
	// Lunch true
}
