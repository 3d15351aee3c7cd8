package trust

import (
	"context"
	"crypto/x509"
	"errors"
)

// Evaluate answers whether cert is believed under opts.
func Evaluate(ctx context.Context, cert *x509.Certificate, opts Options) Result {
	return Result{Chain: []*x509.Certificate{cert}, Reasons: []Reason{{UnknownIssuer, "Path validation is being written."}}}
}

// ParseCRL reads a CRL in DER (RFC 5280 5).
func ParseCRL(der []byte) (*CRL, error) { return nil, errors.New("trust: ParseCRL is being written") }
