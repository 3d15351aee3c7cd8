package cms

import (
	"crypto/x509"
	"time"
)

// Attribute is one attribute of RFC 5652 5.3.
type Attribute struct {
	Type OID
	// Values are the DER of each value.
	Values [][]byte
}

func (a Attribute) der() []byte {
	return constructed(tagSequence, derOID(a.Type), setOf(tagSet, a.Values))
}

// parseAttributes reads the contents of a SET OF Attribute.
func parseAttributes(p []byte) ([]Attribute, bool) {
	var list []Attribute
	for rest := cursor(p); len(rest) > 0; {
		e, ok := rest.take(tagSequence)
		if !ok {
			return nil, false
		}
		fields := cursor(e.contents)
		o, ok := fields.oid()
		if !ok {
			return nil, false
		}
		set, ok := fields.take(tagSet)
		if !ok || len(fields) != 0 {
			return nil, false
		}
		a := Attribute{Type: o}
		for values := cursor(set.contents); len(values) > 0; {
			v, ok := values.next()
			if !ok {
				return nil, false
			}
			a.Values = append(a.Values, v.whole)
		}
		list = append(list, a)
	}
	return list, true
}

// members splits the contents of a SET OF into its members.
func members(p []byte) [][]byte {
	var list [][]byte
	for rest := cursor(p); len(rest) > 0; {
		e, ok := rest.next()
		if !ok {
			return nil
		}
		list = append(list, e.whole)
	}
	return list
}

// single returns the one value of the one attribute of type o. ok is false if there are several of either, or an
// attribute without a value; a missing attribute is nil and ok.
func single(list []Attribute, o OID) (value []byte, ok bool) {
	found := false
	for _, a := range list {
		if a.Type != o {
			continue
		}
		if found || len(a.Values) != 1 {
			return nil, false
		}
		found, value = true, a.Values[0]
	}
	return value, true
}

// Beginning and end of the years that a UTCTime can hold: RFC 5652 11.3.
const (
	firstUTCYear = 1950
	lastUTCYear  = 2049
)

func derTime(t time.Time) []byte {
	t = t.UTC()
	if y := t.Year(); y >= firstUTCYear && y <= lastUTCYear {
		return simple(tagUTCTime, []byte(t.Format("060102150405Z")))
	}
	return simple(tagGeneralizedTime, []byte(t.Format("20060102150405Z")))
}

// parseTime reads a Time: RFC 5652 11.3. Offsets other than Z are BER and read.
func parseTime(p []byte) (time.Time, bool) {
	rest := cursor(p)
	e, ok := rest.next()
	if !ok || len(rest) != 0 || e.constructed {
		return time.Time{}, false
	}
	switch e.tag {
	case tagUTCTime:
		t, err := time.Parse("060102150405Z0700", string(e.contents))
		if err != nil {
			return time.Time{}, false
		}
		if t.Year() > lastUTCYear {
			t = t.AddDate(-100, 0, 0)
		}
		return t.UTC(), true
	case tagGeneralizedTime:
		t, err := time.Parse("20060102150405Z0700", string(e.contents))
		return t.UTC(), err == nil
	}
	return time.Time{}, false
}

// parseCapabilities reads SMIMECapabilities: RFC 8551 2.5.2.
func parseCapabilities(p []byte) ([]Algorithm, bool) {
	rest := cursor(p)
	outer, ok := rest.take(tagSequence)
	if !ok || len(rest) != 0 {
		return nil, false
	}
	var list []Algorithm
	for inner := cursor(outer.contents); len(inner) > 0; {
		a, ok := inner.algorithm(tagSequence)
		if !ok {
			return nil, false
		}
		list = append(list, a)
	}
	return list, true
}

func capabilitiesAttribute(list []Algorithm) Attribute {
	var parts [][]byte
	for _, a := range list {
		parts = append(parts, a.der())
	}
	return Attribute{Type: attrCapabilities, Values: [][]byte{constructed(tagSequence, parts...)}}
}

// protectionAttribute states the algorithms under the signature: RFC 6211 2.
func protectionAttribute(digest, signature Algorithm) Attribute {
	return Attribute{Type: attrAlgorithmProtection, Values: [][]byte{
		constructed(tagSequence, digest.der(), signature.derAs(context(1))),
	}}
}

// protects tells whether a CMSAlgorithmProtection value names these algorithms: RFC 6211 2. Absent parameters and NULL
// count as the same, since peers differ in what they write for the same algorithm.
func protects(value []byte, digest, signature Algorithm) bool {
	rest := cursor(value)
	e, ok := rest.take(tagSequence)
	if !ok || len(rest) != 0 {
		return false
	}
	fields := cursor(e.contents)
	d, ok := fields.algorithm(tagSequence)
	if !ok || !sameAlgorithm(d, digest) {
		return false
	}
	s, ok := fields.algorithm(context(1))
	return ok && len(fields) == 0 && sameAlgorithm(s, signature)
}

func sameAlgorithm(a, b Algorithm) bool {
	parameters := func(a Algorithm) string {
		if string(a.Parameters) == string(derNull) {
			return ""
		}
		return string(a.Parameters)
	}
	return a.OID == b.OID && parameters(a) == parameters(b)
}

// EncryptionKeyPreference is the signed attribute by which a signer with several certificates says which one to encrypt to:
// RFC 8551 2.5.3. Hand it to SignOptions.Attributes, and the certificate to SignOptions.Certificates.
func EncryptionKeyPreference(cert *x509.Certificate) Attribute {
	e, _ := parseElement(issuerAndSerial(cert))
	return Attribute{Type: attrEncryptionKeyPref, Values: [][]byte{constructed(context(0), e.contents)}}
}

// preferredKey reads the preference in signed attributes, Microsoft's older form included; zero if there is none.
func preferredKey(list []Attribute) EntityIdentifier {
	var id EntityIdentifier
	if value, ok := single(list, attrEncryptionKeyPref); ok && value != nil {
		e, _ := parseElement(value)
		switch fields := cursor(e.contents); e.tag {
		case context(0):
			id, ok = parseIssuerAndSerial(e.contents)
		case context(1): // RecipientKeyIdentifier
			var key element
			key, ok = fields.take(tagOctetString)
			id.KeyID = key.contents
		case context(2):
			id.KeyID, ok = implicitOctets(e)
		}
		if ok {
			return id
		}
	}
	if value, ok := single(list, attrMicrosoftKeyPref); ok && value != nil {
		if e, isSequence := parseElement(value); isSequence {
			if id, ok = parseIssuerAndSerial(e.contents); ok {
				return id
			}
		}
	}
	return EntityIdentifier{}
}
