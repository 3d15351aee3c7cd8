// Package issuance answers: what exactly is signed, and was it checked first?
//
// Prepare takes a verdict and gives a Prepared: built by its profile, linted, with its serial number. Its Intent is
// recorded in the ledger; Sign takes only what Prepare returned, once, and only when the ledger holds the intent. So
// nothing is ever signed that the ledger does not know (DESIGN rules 1 and 2).
package issuance

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"math/big"
	"strings"
	"time"

	"chancery.example/ca/profile"
	"chancery.example/fault"
)

// Serial is a serial number as lower-case hex, 32 digits for those of the house (128 random bits).
type Serial string

// NewSerial draws 128 random bits (SBR 7.1 wants at least 64). Zero is drawn again.
func NewSerial() Serial {
	var b [16]byte
	for b == [16]byte{} {
		rand.Read(b[:])
	}
	return Serial(hex.EncodeToString(b[:]))
}

// maxSerialText bounds what ParseSerial looks at: 20 octets with a colon or a space after each digit, and room.
const maxSerialText = 100

// ParseSerial reads a serial number from hex, with or without colons, in either case.
func ParseSerial(s string) (Serial, error) {
	n, ok := new(big.Int), false
	if len(s) <= maxSerialText && !strings.ContainsAny(s, "+-") {
		n, ok = n.SetString(stripColons(s), 16)
	}
	if !ok || n.Sign() <= 0 || n.BitLen() > 159 { // RFC 5280 4.1.2.2: at most 20 octets, positive
		return "", fault.New(fault.Invalid, "serial.malformed", "A serial number is 1 to 40 hexadecimal digits, for example 3f9a….")
	}
	return SerialOf(n), nil
}

// SerialOf is the form of a number as it stands in a certificate.
func SerialOf(n *big.Int) Serial {
	h := n.Text(16)
	for len(h) < 32 {
		h = "0" + h
	}
	return Serial(h)
}

// Int is the number.
func (s Serial) Int() *big.Int {
	n, ok := new(big.Int).SetString(string(s), 16)
	if !ok {
		return new(big.Int)
	}
	return n
}

func stripColons(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if s[i] != ':' && s[i] != ' ' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// IntentState is what became of an intent.
type IntentState string

// The states of an intent.
const (
	Open      IntentState = "open"      // recorded; signed or about to be
	Done      IntentState = "done"      // the certificate is recorded
	Abandoned IntentState = "abandoned" // given up after a crash; the serial number is revoked
)

// Intent is the record, before signing, of exactly what will be signed.
type Intent struct {
	Serial  Serial
	Issuer  string // the name of the issuing key: "issuing"
	Order   string // the order's ID; empty for the house's own certificates
	Profile string
	Mailbox string // the ordered address; empty for the house's own certificates
	TBS     []byte // the DER of the TBSCertificate
	// KeyKept says that the private key lives elsewhere (a request was handed in), so that an open intent may still be
	// signed after a crash. A key born at pick-up is gone with the process.
	KeyKept bool
	At      time.Time
	State   IntentState
}

// NotAfter is the end of the certificate that the intent would give.
func (i Intent) NotAfter() (time.Time, error) {
	der, err := profile.Assemble(i.TBS, make([]byte, 64))
	if err != nil {
		return time.Time{}, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return time.Time{}, fault.Wrap(err, fault.Internal, "issuance.intent-unreadable", "The recorded intent %s cannot be read.", i.Serial)
	}
	return c.NotAfter, nil
}

// Certificate is what was signed.
type Certificate struct {
	Serial    Serial
	Issuer    string
	Order     string
	Profile   string
	Mailbox   string
	DER       []byte
	SHA256    string // lower-case hex of the fingerprint of DER
	SPKI      string // lower-case hex of the SHA-256 of the SubjectPublicKeyInfo
	NotBefore time.Time
	NotAfter  time.Time
	IssuedAt  time.Time
}

// Batch is what the ledger stores in one transaction when the house certifies itself (root, issuing CA, responder):
// first the intents, then, when they are signed, the certificates that close them.
type Batch struct {
	Intents      []Intent
	Certificates []Certificate
}

// Filter chooses certificates for a list, newest first.
type Filter struct {
	Text   string // part of the address, or the serial number or fingerprint in hex; empty for all
	Order  string // of this order
	Issuer string // of this issuer; empty for all
	// House asks for the house's own certificates (root, issuing CA, responder) instead of subscribers'.
	House bool
	After Serial // the last serial number of the page before; empty for the first page
	Limit int    // 1 to 500
}
