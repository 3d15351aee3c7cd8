package trust

import (
	"encoding/asn1"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	casn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// fetchIssuers asks the URLs of the authority information access for certificates (RFC 5280 4.2.2.1). It reports
// whether there is anything new to try.
func (e *evaluator) fetchIssuers(c *certificate) bool {
	news := false
	for _, url := range c.IssuingCertificateURL {
		body := e.get(url)
		if body == nil {
			continue
		}
		for _, der := range certificatesIn(body) {
			if x, err := ParseCertificate(der); err == nil {
				e.offer(x)
				news = true
			}
		}
	}
	return news
}

// get fetches a URL at most once, and nil when it cannot.
func (e *evaluator) get(url string) []byte {
	if !e.mayFetch(url) {
		return nil
	}
	body, err := e.opts.Fetcher.Get(e.ctx, url)
	if err != nil {
		return nil
	}
	return body
}

// mayFetch counts a URL down. Only http and https are asked.
func (e *evaluator) mayFetch(url string) bool {
	if e.opts.Fetcher == nil || e.fetched[url] || e.fetches >= maxFetches ||
		!strings.HasPrefix(url, "http://") && !strings.HasPrefix(url, "https://") {
		return false
	}
	e.fetched[url] = true
	e.fetches++
	return true
}

var oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}

// certificatesIn lists what an issuers' URL gave: one certificate, or a "certs-only" CMS message (RFC 5280 4.2.2.1),
// of which maxDepth certificates at most are taken.
func certificatesIn(body []byte) [][]byte {
	s := cryptobyte.String(body)
	var info, wrapped, signed, certs cryptobyte.String
	var oid asn1.ObjectIdentifier
	explicit0 := casn1.Tag(0).ContextSpecific().Constructed()
	if !s.ReadASN1(&info, casn1.SEQUENCE) || !info.PeekASN1Tag(casn1.OBJECT_IDENTIFIER) {
		return [][]byte{body}
	}
	if !info.ReadASN1ObjectIdentifier(&oid) || !oid.Equal(oidSignedData) || !info.ReadASN1(&wrapped, explicit0) ||
		!wrapped.ReadASN1(&signed, casn1.SEQUENCE) || !signed.SkipASN1(casn1.INTEGER) || !signed.SkipASN1(casn1.SET) ||
		!signed.SkipASN1(casn1.SEQUENCE) || !signed.ReadASN1(&certs, explicit0) {
		return nil
	}
	var list [][]byte
	for !certs.Empty() && len(list) < maxDepth {
		var der cryptobyte.String
		if !certs.ReadASN1Element(&der, casn1.SEQUENCE) {
			break
		}
		list = append(list, der)
	}
	return list
}
