package status

import (
	"context"
	"crypto"
	"time"
)

// Run watches the ledger and publishes lists until ctx ends. Lists that are due are published at once.
func (a *Authority) Run(ctx context.Context) error { return nil }

// CRL returns the newest list of an issuer; fault.NotFound when there is none yet.
func (a *Authority) CRL(ctx context.Context, name string) (CRL, error) { return CRL{}, nil }

// Publish signs and stores a new list of an issuer now. When its key is not at hand it is fault.Unavailable with a
// sentence that says until when the present list holds.
func (a *Authority) Publish(ctx context.Context, name string) (CRL, error) { return CRL{}, nil }

// PublishWith is Publish with a key that is used for this list only, as of an offline root.
func (a *Authority) PublishWith(ctx context.Context, name string, key crypto.Signer) (CRL, error) {
	return CRL{}, nil
}

// ListState is how one issuer's list stands.
type ListState struct {
	Issuer                 string
	Number                 int64 // 0 when there is no list yet
	ThisUpdate, NextUpdate time.Time
	Due                    time.Time // when the next one is to be published at the latest; half of its life
	KeyAtHand              bool
	// Problem is a sentence for the administrator when something must be done, otherwise empty.
	Problem string
}

// Lists says how the lists of all issuers stand.
func (a *Authority) Lists() []ListState { return nil }
