package order

import (
	"crypto/rand"
	"crypto/sha256"
	"time"

	"chancery.example/fault"
)

// Purpose is what a link lets its bearer do.
type Purpose string

// The purposes of links. Each is good for its own page only.
const (
	ToConfirm Purpose = "confirm" // prove control of the mailbox (SBR 3.2.2.2); used once
	ToStatus  Purpose = "status"  // see the order, ask for a pick-up link, revoke, renew
	ToPickup  Purpose = "pickup"  // make the key and fetch the file
)

// Secret is the random part of a link: 160 random bits as 32 characters (SBR 1.6.1 wants at least 112). It travels in
// one mail to the ordered mailbox and is never stored.
type Secret string

// SecretHash is what is stored of a Secret.
type SecretHash [sha256.Size]byte

// Hash is the stored form.
func (s Secret) Hash() SecretHash { return sha256.Sum256([]byte("chancery link\n" + string(s))) }

// String keeps secrets out of logs; doors write string(s) where it must be shown.
func (s Secret) String() string { return "[link]" }

// Link is what the ledger knows of a link.
type Link struct {
	Hash      SecretHash
	Order     ID
	Purpose   Purpose
	Mail      string // the mail that carried it; empty for one handed over on a page
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    time.Time // zero while unused
}

// NewLink makes a link for an order that lives for life, and its secret.
func NewLink(id ID, p Purpose, mail string, now time.Time, life time.Duration) (Link, Secret) {
	var b [20]byte
	rand.Read(b[:])
	s := Secret(enc.EncodeToString(b[:]))
	return Link{Hash: s.Hash(), Order: id, Purpose: p, Mail: mail, CreatedAt: now, ExpiresAt: now.Add(life)}, s
}

// Check says whether the link may be followed at an instant, for a purpose.
func (l Link) Check(p Purpose, now time.Time) error {
	switch {
	case l.Purpose != p:
		return fault.New(fault.NotFound, "link.unknown", "This link is not known. Please open it exactly as it stands in the mail.")
	case !l.UsedAt.IsZero():
		return fault.New(fault.Gone, "link.used", "This link has already been used.")
	case !now.Before(l.ExpiresAt):
		return fault.New(fault.Gone, "link.expired", "This link has expired. Ask for a new one; it is sent to the ordered mailbox.")
	}
	return nil
}
