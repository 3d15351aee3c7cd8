package trust

import (
	"encoding/asn1"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Bounds of distribution points.
const (
	maxPoints     = 64 // of one certificate
	maxPointNames = 64 // of one point
)

// reasonSet is a set of ReasonFlags (RFC 5280 4.2.1.13), bit n for bit n of the flags.
type reasonSet uint16

// allReasons are the flags 1 to 8.
const allReasons reasonSet = 0x1fe

// distributionPoint is one DistributionPoint (RFC 5280 4.2.1.13).
type distributionPoint struct {
	names    []generalName // fullName
	relative cryptobyte.String
	reasons  reasonSet
	issuers  []generalName // cRLIssuer; empty: the issuer of the certificate
}

var errPoints = errors.New("the CRL distribution points are malformed")

// parseDistributionPoints reads CRLDistributionPoints.
func parseDistributionPoints(der []byte) ([]distributionPoint, error) {
	s := cryptobyte.String(der)
	var seq cryptobyte.String
	if !s.ReadASN1(&seq, casn1.SEQUENCE) || !s.Empty() {
		return nil, errPoints
	}
	var list []distributionPoint
	for !seq.Empty() {
		var content cryptobyte.String
		if len(list) == maxPoints || !seq.ReadASN1(&content, casn1.SEQUENCE) {
			return nil, errPoints
		}
		p := distributionPoint{reasons: allReasons}
		var err error
		if p.names, p.relative, err = readPointName(&content); err != nil {
			return nil, err
		}
		if p.reasons, err = readReasons(&content, 1); err != nil {
			return nil, err
		}
		var issuers cryptobyte.String
		var present bool
		if !content.ReadOptionalASN1(&issuers, &present, casn1.Tag(2).ContextSpecific().Constructed()) || !content.Empty() {
			return nil, errPoints
		}
		if present {
			if p.issuers, err = readGeneralNames(issuers); err != nil || len(p.issuers) > maxPointNames {
				return nil, errPoints
			}
		}
		list = append(list, p)
	}
	return list, nil
}

// readPointName reads an optional DistributionPointName under [0].
func readPointName(s *cryptobyte.String) (names []generalName, relative cryptobyte.String, err error) {
	var wrapped, content cryptobyte.String
	var present bool
	var tag casn1.Tag
	if !s.ReadOptionalASN1(&wrapped, &present, casn1.Tag(0).ContextSpecific().Constructed()) {
		return nil, nil, errPoints
	}
	if !present {
		return nil, nil, nil
	}
	if !wrapped.ReadAnyASN1(&content, &tag) || !wrapped.Empty() {
		return nil, nil, errPoints
	}
	switch tag {
	case casn1.Tag(0).ContextSpecific().Constructed():
		names, err = readGeneralNames(content)
		if len(names) > maxPointNames {
			err = errPoints
		}
		return names, nil, err
	case casn1.Tag(1).ContextSpecific().Constructed():
		return nil, content, nil
	}
	return nil, nil, errPoints
}

// readReasons reads optional ReasonFlags under an implicit tag; none means all.
func readReasons(s *cryptobyte.String, tag uint8) (reasonSet, error) {
	t := casn1.Tag(tag).ContextSpecific()
	if !s.PeekASN1Tag(t) {
		return allReasons, nil
	}
	var content cryptobyte.String
	if !s.ReadASN1(&content, t) || len(content) < 1 || len(content) > 3 {
		return 0, errPoints
	}
	bits := asn1.BitString{Bytes: content[1:], BitLength: 8 * (len(content) - 1)}
	var set reasonSet
	for n := 1; n <= 8; n++ {
		if bits.At(n) == 1 {
			set |= 1 << n
		}
	}
	return set, nil
}

// named gives the full names of a point: its own, or its relative name below that of the CRL's issuer.
func named(names []generalName, relative cryptobyte.String, issuer name) []generalName {
	if relative == nil {
		return names
	}
	var extra name
	rdn, err := extra.readRDN(relative)
	if err != nil {
		return nil
	}
	full := name{rdns: append(append([]string(nil), issuer.rdns...), rdn)}
	return []generalName{{kind: kindDirectory, dn: full}}
}

// anyNameIn reports whether the lists have a name in common.
func anyNameIn(a, b []generalName) bool {
	for _, x := range a {
		for _, y := range b {
			if x.same(y) {
				return true
			}
		}
	}
	return false
}
