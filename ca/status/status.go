// Package status answers: is it still good?
//
// It holds revocations and the two ways of telling the world: CRLs (RFC 5280) and OCSP answers (RFC 6960, 9654).
package status

import (
	"context"
	"time"

	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/jobs"
	"chancery.example/notify"
)

// Reason is the code of RFC 5280 5.3.1.
type Reason int

// The reasons that this house uses. Unspecified is never encoded (SBR 7.2.2).
const (
	Unspecified          Reason = 0
	KeyCompromise        Reason = 1
	AffiliationChanged   Reason = 3
	Superseded           Reason = 4
	CessationOfOperation Reason = 5
	PrivilegeWithdrawn   Reason = 9
	CACompromise         Reason = 2 // only of a CA certificate
)

// Revocation is the end of a certificate before its time. N counts them in the ledger, from 1.
type Revocation struct {
	N        int64
	Serial   issuance.Serial
	Issuer   string
	At       time.Time
	Reason   Reason
	By       string    // the actor, as audit.Actor.String gives it
	NotAfter time.Time // of the certificate: the entry may leave the CRL after it (SBR 4.10.1)
}

// CRL is one list as it was signed.
type CRL struct {
	Issuer     string
	Number     int64
	Upto       int64 // the highest Revocation.N that it holds
	DER        []byte
	ThisUpdate time.Time
	NextUpdate time.Time
}

// Change is a set of revocations with everything that belongs to them; the ledger stores it in one transaction.
// A serial number that is already revoked stays as it was.
type Change struct {
	Revocations []Revocation
	Mails       []notify.Mail
	Jobs        []jobs.Job
	Audit       []audit.Entry
}

// Standing is what the ledger says of a serial number under an issuer.
type Standing struct {
	Known      bool        // a certificate with it was issued, or an intent with it recorded
	Revocation *Revocation // nil when not revoked
}

// Ledger is what this package needs of the store.
type Ledger interface {
	// Standing reads what is known of a serial number under an issuer.
	Standing(ctx context.Context, issuer string, s issuance.Serial) (Standing, error)
	// CommitRevocations stores a change.
	CommitRevocations(ctx context.Context, c Change) error
	// LastRevocation is the highest number given to a revocation of an issuer, 0 when there is none. Numbers become
	// visible in their order: whoever has seen N will not later meet a smaller one that was not there before.
	LastRevocation(ctx context.Context, issuer string) (int64, error)
	// Revocations calls f, by number, for each revocation of an issuer with a number above after whose certificate
	// ends after notBefore. (0 and the zero time give all of them.)
	Revocations(ctx context.Context, issuer string, after int64, notBefore time.Time, f func(Revocation) error) error
	// LastCRL reads the newest list of an issuer; fault.NotFound when there is none.
	LastCRL(ctx context.Context, issuer string) (CRL, error)
	// CommitCRL stores a list; fault.Conflict when its number is not the next one.
	CommitCRL(ctx context.Context, c CRL, entries ...audit.Entry) error
}
