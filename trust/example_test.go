package trust_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"chancery.example/testca"
	"chancery.example/trust"
)

// A mail's signer is believed when a path of certificates leads from theirs to one that the reader trusts.
func ExampleEvaluate() {
	t := &testing.T{}
	root := testca.New(t).Root()
	issuing := root.Issuing()
	alice := issuing.Leaf("alice@example.com")

	options := trust.Options{At: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), Usage: trust.MailSigning}
	options.Intermediates = append(options.Intermediates, issuing.Cert)
	result := trust.Evaluate(context.Background(), alice.Cert, options)
	for _, reason := range result.Reasons {
		fmt.Println(reason.Code)
	}

	options.Anchors = append(options.Anchors, root.Cert)
	result = trust.Evaluate(context.Background(), alice.Cert, options)
	for _, cert := range result.Chain {
		fmt.Println(trust.Title(cert))
	}
	// Output:
	// unknown-issuer
	// alice@example.com
	// Test Issuing CA
	// Test Root
}
