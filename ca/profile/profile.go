// Package profile answers: what may such a certificate contain?
//
// A Profile is dated data: the type and generation of the S/MIME Baseline Requirements (SBR), what stands in the
// subject, and what the key may be used for. Build turns a profile and what was approved into the DER of a
// TBSCertificate, octet for octet as SBR 7.1 asks; Assemble adds the signature. Root, Issuing and Responder do the same for the house's own
// certificates. CheckKey and CheckRequest refuse keys and requests that no profile may carry.
//
// The encoder is our own: crypto/x509 wants to sign what it builds, and cannot write name forms such as
// SmtpUTF8Mailbox (RFC 9598).
package profile

import (
	"fmt"
	"slices"
	"time"

	"chancery.example/fault"
	"chancery.example/rules"
)

// Type is who stands in the certificate (SBR 1.2). Its zero value is none and is refused everywhere.
type Type uint8

// The types of SBR 7.1.6.1.
const (
	MV Type = iota + 1 // mailbox-validated
	OV                 // organisation-validated
	SV                 // sponsor-validated
	IV                 // individual-validated
)

// Generation is the strictness of a profile (SBR 1.2). Its zero value is none.
type Generation uint8

// The generations; Legacy is banned since 2025-07-15.
const (
	Legacy Generation = iota + 1
	Multipurpose
	Strict
)

// Use is what the key is for (SBR 7.1.2.3.e). Its zero value is none.
type Use uint8

// The uses.
const (
	Sign Use = iota + 1
	Encrypt
	Dual
)

// Mode says how the rules bind a CA (DESIGN rule 4). Its zero value is none.
type Mode uint8

// The modes. A private CA never claims a reserved policy OID.
const (
	Private Mode = iota + 1
	Public
)

var (
	typeNames       = []string{"", "mv", "ov", "sv", "iv"}
	generationNames = []string{"", "legacy", "multipurpose", "strict"}
	useNames        = []string{"", "sign", "encrypt", "dual"}
	modeNames       = []string{"", "private", "public"}
)

// String is "mv", "ov", "sv", "iv".
func (t Type) String() string { return nameOf(typeNames, uint8(t)) }

// String is "legacy", "multipurpose", "strict".
func (g Generation) String() string { return nameOf(generationNames, uint8(g)) }

// String is "sign", "encrypt", "dual".
func (u Use) String() string { return nameOf(useNames, uint8(u)) }

// String is "private", "public".
func (m Mode) String() string { return nameOf(modeNames, uint8(m)) }

// MarshalText gives String.
func (t Type) MarshalText() ([]byte, error)       { return []byte(t.String()), nil }
func (g Generation) MarshalText() ([]byte, error) { return []byte(g.String()), nil }
func (u Use) MarshalText() ([]byte, error)        { return []byte(u.String()), nil }
func (m Mode) MarshalText() ([]byte, error)       { return []byte(m.String()), nil }

// UnmarshalText reads what MarshalText wrote; empty text gives the zero value.
func (t *Type) UnmarshalText(b []byte) error { return parseName(typeNames, b, "type", (*uint8)(t)) }
func (g *Generation) UnmarshalText(b []byte) error {
	return parseName(generationNames, b, "generation", (*uint8)(g))
}
func (u *Use) UnmarshalText(b []byte) error  { return parseName(useNames, b, "use", (*uint8)(u)) }
func (m *Mode) UnmarshalText(b []byte) error { return parseName(modeNames, b, "mode", (*uint8)(m)) }

func nameOf(names []string, v uint8) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", v)
}

func parseName(names []string, text []byte, what string, to *uint8) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return fault.New(fault.Invalid, "profile."+what, "%q is no certificate %s; use one of %q.", text, what, names[1:])
	}
	*to = uint8(i)
	return nil
}

// Profile says what a subscriber certificate contains.
type Profile struct {
	// Name is stable and stands in orders and records: "mv-strict".
	Name       string
	Type       Type
	Generation Generation
	// ClientAuth adds id-kp-clientAuth where the key may sign (Multipurpose only).
	ClientAuth bool
	// From and Until bound the days on which it may be issued. A zero Until means no end is known.
	From, Until time.Time
}

// profiles is what the house can issue. The names are stable for ever; a retired one keeps its row with an end.
var profiles = []Profile{
	{Name: "mv-strict", Type: MV, Generation: Strict, From: date(2023, 9, 1)},
	{Name: "mv-multipurpose", Type: MV, Generation: Multipurpose, ClientAuth: true, From: date(2023, 9, 1)},
	{Name: "mv-legacy", Type: MV, Generation: Legacy, From: date(2023, 9, 1), Until: rules.Number(rules.LegacyIssuance, date(2023, 9, 1)).Until},
}

// Default is the profile of an order that names none.
const Default = "mv-strict"

func date(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }

// Find returns the profile of that name if it may be issued at a moment. Unknown names are fault.NotFound,
// others fault.Refused with the rule that ended it.
func Find(name string, at time.Time) (Profile, error) {
	i := slices.IndexFunc(profiles, func(p Profile) bool { return p.Name == name })
	if i < 0 {
		return Profile{}, fault.New(fault.NotFound, "profile.unknown", "There is no certificate profile %q; choose one of %q.", name, Names(at))
	}
	p := profiles[i]
	if at.Before(p.From) || !p.Until.IsZero() && !at.Before(p.Until) {
		return Profile{}, fault.New(fault.Refused, "profile.BR-002", "Certificates of the profile %q are not issued any more (SBR 7.1.6.1, BR-002); choose one of %q.", name, Names(at))
	}
	return p, nil
}

// Names lists the profiles that may be issued at a moment, the default first.
func Names(at time.Time) []string {
	var names []string
	for _, p := range profiles {
		if !at.Before(p.From) && (p.Until.IsZero() || at.Before(p.Until)) {
			names = append(names, p.Name)
		}
	}
	return names
}

// MaxValidity is the longest validity of a generation at a moment, both ends included (SBR 6.3.2, BR-006).
func MaxValidity(g Generation, at time.Time) time.Duration {
	switch g {
	case Legacy:
		return rules.Duration(rules.MaxValidityLegacy, at)
	case Multipurpose:
		return rules.Duration(rules.MaxValidityMultipurpose, at)
	case Strict:
		return rules.Duration(rules.MaxValidityStrict, at)
	}
	return 0
}
