package ocsp

import (
	"encoding/asn1"
	"encoding/base64"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"

	"chancery.example/fault"
)

var oidNonce = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}

// Tags of the fields of OCSP messages.
var (
	explicit0 = casn1.Tag(0).ContextSpecific().Constructed()
	explicit1 = casn1.Tag(1).ContextSpecific().Constructed()
	explicit2 = casn1.Tag(2).ContextSpecific().Constructed()
)

func malformed(what string) error {
	return fault.New(fault.Invalid, "ocsp.malformed", "This is not a well-formed OCSP message: %s.", what)
}

// ParseRequest reads a request in DER (RFC 6960 4.1.1). A signature on it is not looked at, as RFC 9919 3.1.2 lets
// responders do. A refusal is a fault (codes "ocsp.malformed", "ocsp.critical-extension", "ocsp.too-large"), and the
// server answers MalformedRequest.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP request may have %d octets at most.", MaxRequest)
	}
	s := cryptobyte.String(der)
	var outer, tbs, list cryptobyte.String
	if !s.ReadASN1(&outer, casn1.SEQUENCE) || !s.Empty() || !outer.ReadASN1(&tbs, casn1.SEQUENCE) ||
		!outer.SkipOptionalASN1(explicit0) || !outer.Empty() {
		return nil, malformed("its frame is broken")
	}
	if !readVersion(&tbs) || !tbs.SkipOptionalASN1(explicit1) || !tbs.ReadASN1(&list, casn1.SEQUENCE) {
		return nil, malformed("its version or list of requests is broken")
	}
	r := &Request{}
	for !list.Empty() {
		if len(r.IDs) == MaxIDs {
			return nil, fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP request may ask for %d certificates at most.", MaxIDs)
		}
		var single cryptobyte.String
		var id CertID
		if !list.ReadASN1(&single, casn1.SEQUENCE) || !readCertID(&single, &id) {
			return nil, malformed("a certificate is not named properly")
		}
		if err := readExtensions(&single, explicit0, nil); err != nil {
			return nil, err
		}
		if !single.Empty() {
			return nil, malformed("something follows the name of a certificate")
		}
		r.IDs = append(r.IDs, id)
	}
	if len(r.IDs) == 0 {
		return nil, malformed("it asks for no certificate")
	}
	if err := readExtensions(&tbs, explicit2, &r.Nonce); err != nil {
		return nil, err
	}
	if !tbs.Empty() {
		return nil, malformed("something follows its extensions")
	}
	return r, nil
}

// readVersion reads an optional [0] version, which must be v1.
func readVersion(s *cryptobyte.String) bool {
	var v cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&v, &present, explicit0) {
		return false
	}
	var n int
	return !present || v.ReadASN1Integer(&n) && n == 0 && v.Empty()
}

// readExtensions reads optional Extensions (RFC 5280 4.1) under an explicit tag. A nonce goes to nonce where one is
// expected; an unknown critical extension is refused (RFC 6960 4.4), any other passed over.
func readExtensions(s *cryptobyte.String, tag casn1.Tag, nonce *[]byte) error {
	var wrapped, list cryptobyte.String
	var present bool
	if !s.ReadOptionalASN1(&wrapped, &present, tag) {
		return malformed("its extensions are broken")
	}
	if !present {
		return nil
	}
	if !wrapped.ReadASN1(&list, casn1.SEQUENCE) || !wrapped.Empty() {
		return malformed("its extensions are broken")
	}
	for n := 0; !list.Empty(); n++ {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if n == maxExts || !list.ReadASN1(&ext, casn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			ext.PeekASN1Tag(casn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) || !ext.ReadASN1(&value, casn1.OCTET_STRING) || !ext.Empty() {
			return malformed("an extension is broken")
		}
		if nonce != nil && oid.Equal(oidNonce) {
			var octets cryptobyte.String
			if *nonce != nil || !value.ReadASN1(&octets, casn1.OCTET_STRING) || !value.Empty() || len(octets) < MinNonce || len(octets) > MaxNonce {
				return malformed("its nonce is not one octet string of 1 to 128 octets")
			}
			*nonce = octets
			continue
		}
		if critical {
			return fault.New(fault.Invalid, "ocsp.critical-extension", "The OCSP message has the critical extension %s, which is not known here.", oid)
		}
	}
	return nil
}

// Marshal writes the request in DER, unsigned. A nonce must have 1 to 128 octets; RFC 9654 2.1 asks clients for 32.
func (r *Request) Marshal() ([]byte, error) {
	if len(r.IDs) == 0 || len(r.IDs) > MaxIDs {
		return nil, fault.New(fault.Invalid, "ocsp.ids", "An OCSP request asks for 1 to %d certificates.", MaxIDs)
	}
	if len(r.Nonce) > MaxNonce {
		return nil, fault.New(fault.Invalid, "ocsp.nonce", "An OCSP nonce has %d octets at most.", MaxNonce)
	}
	var b cryptobyte.Builder
	b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				for _, id := range r.IDs {
					if !id.writable() {
						b.SetError(fault.New(fault.Invalid, "ocsp.ids", "An OCSP request names a certificate without serial number or hash."))
						return
					}
					b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) { addCertID(b, id) })
				}
			})
			addNonce(b, explicit2, r.Nonce)
		})
	})
	return b.Bytes()
}

// addNonce writes Extensions with a nonce under an explicit tag, or nothing.
func addNonce(b *cryptobyte.Builder, tag casn1.Tag, nonce []byte) {
	if len(nonce) == 0 {
		return
	}
	b.AddASN1(tag, func(b *cryptobyte.Builder) {
		b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(casn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1ObjectIdentifier(oidNonce)
				b.AddASN1(casn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1OctetString(nonce) })
			})
		})
	})
}

// DecodeGET reads the request out of the path of a GET (RFC 6960 A.1): what follows the responder's own path, still
// escaped as it came (http.Request.URL.EscapedPath) or already decoded. Beyond the standard it forgives what
// clients are known to do: base64 without padding or in its URL-safe alphabet, and a + that became a space.
func DecodeGET(path string) ([]byte, error) {
	if len(path) > 4*MaxRequest {
		return nil, fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP request may have %d octets at most.", MaxRequest)
	}
	text := strings.TrimPrefix(path, "/")
	if strings.Contains(text, "%") {
		unescaped, err := url.PathUnescape(text)
		if err != nil {
			return nil, fault.Wrap(err, fault.Invalid, "ocsp.malformed", "The path of the OCSP request is not escaped properly.")
		}
		text = unescaped
	}
	text = strings.NewReplacer(" ", "+", "-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	der, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil {
		return nil, fault.Wrap(err, fault.Invalid, "ocsp.malformed", "The path of the OCSP request is not base64.")
	}
	if len(der) > MaxRequest {
		return nil, fault.New(fault.TooLarge, "ocsp.too-large", "An OCSP request may have %d octets at most.", MaxRequest)
	}
	return der, nil
}

// EncodeGET is what a client appends, after a slash, to the responder's URL for a GET. RFC 9919 6 wants it when
// the whole, scheme and host included, has at most 255 octets, and a POST otherwise.
func EncodeGET(der []byte) string {
	return url.QueryEscape(base64.StdEncoding.EncodeToString(der)) // escapes + / and =, as RFC 6960 A.1 demands
}
