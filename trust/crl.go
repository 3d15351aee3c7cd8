package trust

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"time"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

// MaxCRL bounds a CRL, in octets. A list with a million entries has some 40 MB.
const MaxCRL = 128 << 20

var (
	oidIssuingDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDeltaCRLIndicator        = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidCertificateIssuer        = asn1.ObjectIdentifier{2, 5, 29, 29}
	oidInvalidityDate           = asn1.ObjectIdentifier{2, 5, 29, 24}
	oidExpiredCertsOnCRL        = asn1.ObjectIdentifier{2, 5, 29, 60}
	oidReasonCode               = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidHoldInstruction          = asn1.ObjectIdentifier{2, 5, 29, 23}

	// criticalInLists are the extensions that a list may have as critical ones.
	criticalInLists = []asn1.ObjectIdentifier{oidIssuingDistributionPoint, oidDeltaCRLIndicator, {2, 5, 29, 20}, {2, 5, 29, 35}, {2, 5, 29, 18}, oidFreshestCRL}
	// criticalInEntries are those of an entry.
	criticalInEntries = []asn1.ObjectIdentifier{oidCertificateIssuer, oidReasonCode, oidInvalidityDate, oidHoldInstruction}
)

// CRL is a parsed certificate revocation list (RFC 5280 5), indexed by issuer and serial number. It may be kept and
// shared by many evaluations.
type CRL struct {
	list    *x509.RevocationList
	issuer  name
	scope   scope
	delta   *big.Int // the number of the complete list that this delta list changes; nil: it is complete
	expired bool     // expired certificates stay on the list (RFC 5280 has no name for it; X.509 expiredCertsOnCRL)
	// partial says why the list may tell that a certificate is revoked but not that it is good.
	partial string
	entries map[entryKey]int // index into list.RevokedCertificateEntries
}

type entryKey struct{ issuer, serial string }

// scope is IssuingDistributionPoint (RFC 5280 5.2.5).
type scope struct {
	names                           []generalName
	relative                        cryptobyte.String
	present                         bool
	onlyUsers, onlyCAs, onlyAttribs bool
	reasons                         reasonSet
	indirect                        bool
}

// ParseCRL reads a CRL in DER (RFC 5280 5), of version 1 or 2. A refusal is a fault.Invalid ("trust.crl-malformed") or fault.TooLarge.
// Critical extensions that we do not know are no refusal: such a list can still tell a revocation.
func ParseCRL(der []byte) (*CRL, error) {
	if len(der) > MaxCRL {
		return nil, fault.New(fault.TooLarge, "trust.crl-too-large", "A revocation list may have %d MB at most.", MaxCRL>>20)
	}
	list, err := parseList(der)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "trust.crl-malformed", "This is not a certificate revocation list that can be read.")
	}
	c := &CRL{list: list, scope: scope{reasons: allReasons}}
	if c.issuer, err = parseName(list.RawIssuer); err == nil {
		err = c.readExtensions()
	}
	if err == nil {
		err = c.index()
	}
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "trust.crl-malformed", "This is not a certificate revocation list that can be read.")
	}
	return c, nil
}

// ThisUpdate is when the list was made.
func (c *CRL) ThisUpdate() time.Time { return c.list.ThisUpdate }

// NextUpdate is when the next list is due at the latest. It is zero when the list does not say.
func (c *CRL) NextUpdate() time.Time { return c.list.NextUpdate }

func (c *CRL) readExtensions() (err error) {
	for _, e := range c.list.Extensions {
		switch {
		case e.Id.Equal(oidIssuingDistributionPoint):
			if c.scope, err = parseScope(e.Value); err != nil {
				return err
			}
		case e.Id.Equal(oidDeltaCRLIndicator):
			s := cryptobyte.String(e.Value)
			c.delta = new(big.Int)
			if len(e.Value) > 32 || !s.ReadASN1Integer(c.delta) || !s.Empty() {
				return errors.New("the delta CRL indicator is malformed")
			}
		case e.Id.Equal(oidExpiredCertsOnCRL):
			c.expired = true
		}
		if e.Critical && !slices.ContainsFunc(criticalInLists, e.Id.Equal) {
			c.partial = "it has the critical extension " + e.Id.String() + ", which is not known here"
		}
	}
	return nil
}

// parseScope reads IssuingDistributionPoint.
func parseScope(der []byte) (s scope, err error) {
	errScope := errors.New("the issuing distribution point is malformed")
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	if !in.ReadASN1(&seq, casn1.SEQUENCE) || !in.Empty() {
		return s, errScope
	}
	s.present = true
	if s.names, s.relative, err = readPointName(&seq); err != nil {
		return s, err
	}
	flag := func(tag uint8, to *bool) {
		var content cryptobyte.String
		if t := casn1.Tag(tag).ContextSpecific(); err == nil && seq.PeekASN1Tag(t) {
			if !seq.ReadASN1(&content, t) || len(content) != 1 || content[0] != 0 && content[0] != 0xff {
				err = errScope
				return
			}
			*to = content[0] != 0
		}
	}
	flag(1, &s.onlyUsers)
	flag(2, &s.onlyCAs)
	if err == nil {
		s.reasons, err = readReasons(&seq, 3)
	}
	flag(4, &s.indirect)
	flag(5, &s.onlyAttribs)
	if err == nil && !seq.Empty() {
		err = errScope
	}
	return s, err
}

// index files the entries by issuer and serial number (RFC 5280 5.3.3: an issuer stays until the next one).
func (c *CRL) index() error {
	issuer := c.issuer.key()
	c.entries = make(map[entryKey]int, len(c.list.RevokedCertificateEntries))
	for i := range c.list.RevokedCertificateEntries {
		entry := &c.list.RevokedCertificateEntries[i]
		for _, e := range entry.Extensions {
			if e.Critical && !slices.ContainsFunc(criticalInEntries, e.Id.Equal) {
				c.partial = "an entry has the critical extension " + e.Id.String() + ", which is not known here"
			}
			if !e.Id.Equal(oidCertificateIssuer) {
				continue
			}
			s := cryptobyte.String(e.Value)
			var seq cryptobyte.String
			if !s.ReadASN1(&seq, casn1.SEQUENCE) {
				return errGeneralName
			}
			names, err := readGeneralNames(seq)
			if err != nil {
				return err
			}
			j := slices.IndexFunc(names, func(g generalName) bool { return g.kind == kindDirectory })
			if j < 0 {
				return errors.New("the issuer of an entry has no directory name")
			}
			issuer = names[j].dn.key()
			if !c.scope.indirect && issuer != c.issuer.key() {
				c.partial = "it speaks of another issuer's certificates without saying that it is indirect"
			}
		}
		c.entries[entryKey{issuer, string(entry.SerialNumber.Bytes())}] = i
	}
	return nil
}

// find returns the entry for a certificate.
func (c *CRL) find(cert *certificate) (x509.RevocationListEntry, bool) {
	i, ok := c.entries[entryKey{cert.issuer.key(), string(cert.SerialNumber.Bytes())}]
	if !ok {
		return x509.RevocationListEntry{}, false
	}
	return c.list.RevokedCertificateEntries[i], true
}

// invalidSince is the time from which an entry says that the key could not be relied on: the revocation date, or
// the invalidity date (RFC 5280 5.3.2) when that is earlier.
func invalidSince(e x509.RevocationListEntry) time.Time {
	since := e.RevocationTime
	for _, x := range e.Extensions {
		var t time.Time
		s := cryptobyte.String(x.Value)
		if x.Id.Equal(oidInvalidityDate) && s.ReadASN1GeneralizedTime(&t) && t.Before(since) {
			since = t
		}
	}
	return since
}

// covers reports whether the list speaks of the certificate as one of the point's (RFC 5280 6.3.3 b), and for which
// reasons.
func (c *CRL) covers(cert *certificate, p distributionPoint) (reasonSet, bool) {
	issuers := p.issuers
	if len(issuers) > 0 {
		if !c.scope.indirect || !anyNameIn(issuers, []generalName{{kind: kindDirectory, dn: c.issuer}}) {
			return 0, false
		}
	} else if c.issuer.key() != cert.issuer.key() {
		return 0, false
	}
	s := &c.scope
	if !s.present {
		return p.reasons, true
	}
	if s.onlyAttribs || s.onlyUsers && cert.isCA() || s.onlyCAs && !cert.isCA() {
		return 0, false
	}
	if len(s.names) > 0 || s.relative != nil {
		// A point without a name of its own goes by its CRL issuer.
		mine := named(s.names, s.relative, c.issuer)
		theirs := named(p.names, p.relative, c.issuer)
		if p.names == nil && p.relative == nil {
			theirs = issuers
		}
		if !anyNameIn(mine, theirs) {
			return 0, false
		}
	}
	return p.reasons & s.reasons, true
}

// changes reports whether c is a delta list for base: same issuer, scope and signing key, and not older
// (RFC 5280 6.3.3 c).
func (c *CRL) changes(base *CRL) bool {
	return c.delta != nil && base.delta == nil && c.issuer.key() == base.issuer.key() && c.scope.same(&base.scope) &&
		string(c.list.AuthorityKeyId) == string(base.list.AuthorityKeyId) &&
		base.list.Number != nil && c.list.Number != nil && c.delta.Cmp(base.list.Number) <= 0 && c.list.Number.Cmp(base.list.Number) >= 0
}

func (s *scope) same(o *scope) bool {
	if s.onlyUsers != o.onlyUsers || s.onlyCAs != o.onlyCAs || s.onlyAttribs != o.onlyAttribs || s.indirect != o.indirect ||
		s.reasons != o.reasons || string(s.relative) != string(o.relative) || len(s.names) != len(o.names) {
		return false
	}
	for i := range s.names {
		if !s.names[i].same(o.names[i]) {
			return false
		}
	}
	return true
}
