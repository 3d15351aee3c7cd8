package trust

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"

	"chancery.example/trust/ocsp"
)

const (
	maxAsks      = 4096 // certificates asked about in one evaluation, again and again counted
	maxNested    = 4    // CRL issuers whose own certificates need a CRL of another issuer, and so on
	maxOCSP      = 3    // responders asked for one certificate
	maxCRLPoints = 8    // CRLs fetched for one certificate
)

// standing is what is known of one certificate.
type standing struct {
	status RevocationStatus
	at     time.Time
	reason int // RFC 5280 5.3.1
	source string
	detail string
}

// revocation asks about every certificate of a valid path but the anchor, from the top, so that a list is believed
// only after its issuer. An anchor that is the end certificate itself is refused when it is known to be revoked.
func (e *evaluator) revocation(chain []*certificate) (Revocation, []Reason) {
	result := Revocation{Status: StatusGood, Reason: -1}
	if len(chain) == 1 {
		return e.revokedAnchor(chain[0])
	}
	var reasons []Reason
	for i := len(chain) - 2; i >= 0; i-- {
		c := chain[i]
		s := e.standing(c, chain[i:], 0)
		switch s.status {
		case StatusRevoked:
			return s.revoked(c), append(reasons, *s.because(c))
		case StatusUnknown:
			if result.Status == StatusGood {
				result = Revocation{Status: StatusUnknown, Certificate: c.Certificate, Reason: -1, Detail: s.detail}
			}
			if e.opts.Revocation == Hard {
				reasons = append(reasons, *c.reason(RevocationUnknown, "may be revoked, which cannot be told: %s", s.detail))
			}
		default:
			if i == 0 && result.Status == StatusGood {
				result.Source = s.source
			}
		}
	}
	return result, reasons
}

// revokedAnchor looks whether an anchor that is the end certificate itself is known to be revoked by its issuer, if
// that is at hand. That it cannot be told is no reason against an anchor.
func (e *evaluator) revokedAnchor(c *certificate) (Revocation, []Reason) {
	for _, issuer := range e.candidates(c, nil) {
		if e.edge(c, issuer) != holds || !issuer.may(x509.KeyUsageCertSign) {
			continue
		}
		if s := e.standing(c, []*certificate{c, issuer}, 0); s.status == StatusRevoked {
			return s.revoked(c), []Reason{*s.because(c)}
		}
	}
	return Revocation{Status: NotChecked, Reason: -1}, nil
}

func (s standing) revoked(c *certificate) Revocation {
	return Revocation{Status: StatusRevoked, Certificate: c.Certificate, RevokedAt: s.at, Reason: s.reason, Source: s.source}
}

func (s standing) because(c *certificate) *Reason {
	return c.reason(RevokedCode, "was revoked on %s (%s)", s.at.UTC().Format("2006-01-02 15:04 MST"), ReasonText(s.reason))
}

// ReasonText names a revocation reason by its number in RFC 5280 5.3.1, for people.
func ReasonText(reason int) string {
	texts := []string{"no reason given", "key compromise", "compromise of the issuer", "change of affiliation", "superseded",
		"cessation of operation", "on hold", "", "", "privilege withdrawn", "compromise of an attribute authority"}
	if reason < 0 || reason >= len(texts) || texts[reason] == "" {
		return texts[0]
	}
	return texts[reason]
}

// standing finds out about the first certificate of chain, whose issuer is the second.
func (e *evaluator) standing(c *certificate, chain []*certificate, depth int) standing {
	key := [2]*certificate{c, chain[1]}
	if s, ok := e.standings[key]; ok {
		return s
	}
	if e.asks++; depth > maxNested || e.pending[c] || e.asks > maxAsks {
		return standing{status: StatusUnknown, detail: "the lists at hand depend on each other"}
	}
	e.pending[c] = true
	defer delete(e.pending, c)
	s := e.askCRLs(c, chain, depth)
	if s.status == StatusUnknown && e.opts.Fetcher != nil {
		if o := e.askOCSP(c, chain, depth); o.status != StatusUnknown {
			s = o
		} else if e.fetchCRLs(c) {
			s = e.askCRLs(c, chain, depth)
		}
	}
	if depth == 0 || s.status != StatusUnknown { // what cannot be told deep down may be told from another side
		e.standings[key] = s
	}
	return s
}

// effective reports whether a revocation counts at the time of the question: one for the sake of a compromised key
// always does, since nobody can tell what was signed when.
func (e *evaluator) effective(since time.Time, reason int) bool {
	switch reason {
	case int(ocsp.KeyCompromise), int(ocsp.CACompromise), int(ocsp.AACompromise):
		return true
	}
	return !since.After(e.opts.At)
}

// askCRLs is RFC 5280 6.3.3: it goes through the certificate's distribution points and the implied one, until the
// lists cover every reason.
func (e *evaluator) askCRLs(c *certificate, chain []*certificate, depth int) standing {
	points := append(slices.Clone(c.points), distributionPoint{names: []generalName{{kind: kindDirectory, dn: c.issuer}}, reasons: allReasons})
	lists := slices.Clone(e.crls)
	slices.SortStableFunc(lists, func(a, b *CRL) int { return b.list.ThisUpdate.Compare(a.list.ThisUpdate) })
	s := standing{status: StatusUnknown, detail: "there is no revocation list for it"}
	var covered reasonSet
	for _, p := range points {
		for _, l := range lists {
			mask, ok := l.covers(c, p)
			if !ok || l.delta != nil || mask&^covered == 0 {
				continue
			}
			if l.list.NextUpdate.IsZero() || l.list.NextUpdate.Before(e.opts.At) {
				s.detail = "the revocation list at hand is out of date"
				continue
			}
			if !e.trustsList(l, chain, depth, len(p.issuers) > 0) {
				s.detail = "the revocation list at hand is not signed by somebody who may"
				continue
			}
			entry, listed := e.entry(l, lists, chain, depth, len(p.issuers) > 0)
			if listed && e.effective(invalidSince(entry), entry.ReasonCode) {
				return standing{StatusRevoked, entry.RevocationTime, entry.ReasonCode, "crl", ""}
			}
			switch {
			case l.partial != "":
				s.detail = "the revocation list at hand is not usable: " + l.partial
			case !listed && !l.expired && c.NotAfter.Before(l.list.ThisUpdate):
				s.detail = "the revocation list at hand was made after it expired and need not list it any more"
			default:
				covered |= mask
			}
			if covered == allReasons {
				return standing{StatusGood, time.Time{}, -1, "crl", ""}
			}
		}
	}
	if covered != 0 {
		s.detail = "the revocation lists at hand cover some reasons only"
	}
	return s
}

// entry looks c up in a complete list, as the newest delta list that belongs to it changes it (RFC 5280 5.2.4).
func (e *evaluator) entry(base *CRL, lists []*CRL, chain []*certificate, depth int, designated bool) (x509.RevocationListEntry, bool) {
	entry, listed := base.find(chain[0])
	for _, l := range lists {
		if !l.changes(base) || l.list.NextUpdate.IsZero() || l.list.NextUpdate.Before(e.opts.At) || !e.trustsList(l, chain, depth, designated) {
			continue
		}
		if changed, ok := l.find(chain[0]); ok {
			entry, listed = changed, true
		}
		break
	}
	if entry.ReasonCode == int(ocsp.RemoveFromCRL) {
		listed = false
	}
	return entry, listed
}

type signerKey struct {
	list           *CRL
	issuer, anchor *certificate
}

type signedKey struct {
	list   *CRL
	signer *certificate
}

// trustsList checks that a list is signed by the issuer of the certificate in question, or by somebody with the
// CRL issuer's name whose own path is valid, not revoked, and ends at the same anchor (RFC 5280 6.3.3 f and g).
// Nobody vouches for themselves, but for a CRL issuer that its own issuer designated in the distribution point.
func (e *evaluator) trustsList(l *CRL, chain []*certificate, depth int, designated bool) bool {
	issuer, anchor := chain[1], chain[len(chain)-1]
	key := signerKey{l, issuer, anchor}
	if ok, known := e.signers[key]; known {
		return ok
	}
	candidates := slices.Clone(e.bySubj[l.issuer.key()])
	if i := slices.Index(candidates, issuer); i > 0 { // the likeliest first
		candidates[0], candidates[i] = candidates[i], candidates[0]
	}
	ok := false
	for _, signer := range candidates {
		if !signer.may(x509.KeyUsageCRLSign) || signer.strength(true) != nil || !e.signed(l, signer) {
			continue
		}
		if signer == anchor || slices.Contains(chain[1:], signer) || designated && depth > 0 && signer == chain[0] || e.trustsSigner(signer, anchor, depth) {
			ok = true
			break
		}
	}
	if depth == 0 && len(e.pending) <= 1 { // deeper down the answer depends on what is being asked
		e.signers[key] = ok
	}
	return ok
}

// signed checks the signature of a list under the key of signer.
func (e *evaluator) signed(l *CRL, signer *certificate) bool {
	key := signedKey{l, signer}
	if ok, known := e.signedLists[key]; known {
		return ok
	}
	if e.signatures++; e.signatures > maxSignatures {
		e.exhausted = true
		return false
	}
	e.signedLists[key] = accepted(l.list.SignatureAlgorithm) && e.opts.Memory.check(signer, l.list.SignatureAlgorithm, l.list.RawTBSRevocationList, l.list.Signature) == nil
	return e.signedLists[key]
}

// trustsSigner validates the path of a CRL issuer that does not stand above the certificate in question.
func (e *evaluator) trustsSigner(signer, anchor *certificate, depth int) bool {
	options := *e.opts
	options.Usage, options.Policies, options.ExplicitPolicy = AnyUsage, nil, false
	return e.search(signer, func(chain []*certificate) bool {
		if chain[len(chain)-1] != anchor {
			return false
		}
		if reasons, _ := validate(chain, &options, &e.comparisons); len(reasons) > 0 {
			return false
		}
		for i := len(chain) - 2; i >= 0; i-- {
			s := e.standing(chain[i], chain[i:], depth+1)
			if s.status == StatusRevoked || s.status == StatusUnknown && e.opts.Revocation == Hard {
				return false
			}
		}
		return true
	})
}

// fetchCRLs fetches the lists that a certificate names, and reports whether there is a new one.
func (e *evaluator) fetchCRLs(c *certificate) bool {
	news, n := false, 0
	for _, p := range append(slices.Clone(c.points), c.freshest...) {
		for _, g := range p.names {
			if g.kind != kindURI || n == maxCRLPoints {
				continue
			}
			n++
			if body := e.get(g.text); body != nil {
				if l, err := ParseCRL(body); err == nil && len(e.crls) < maxLists {
					e.crls = append(e.crls, l)
					news = true
				}
			}
		}
	}
	return news
}

// askOCSP asks the responders that a certificate names (RFC 6960), by a CertID with SHA-256 as RFC 9919 3.1.1 wants,
// and with SHA-1 where that gets no answer.
func (e *evaluator) askOCSP(c *certificate, chain []*certificate, depth int) standing {
	s := standing{status: StatusUnknown}
	for i, url := range c.OCSPServer {
		if i == maxOCSP {
			break
		}
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA1} {
			id, err := ocsp.NewCertID(chain[1].Certificate, c.SerialNumber, hash)
			if err != nil {
				return s
			}
			body := e.fetchOCSP(url, id)
			if body == nil {
				continue
			}
			if s = e.readOCSP(body, id, chain, depth); s.status != StatusUnknown {
				return s
			}
		}
	}
	return s
}

// maxGET is the length of a URL up to which a responder is asked by GET, whose answers can be cached on the way
// (RFC 9919 6).
const maxGET = 255

// fetchOCSP asks one responder about one certificate, and nil when it does not answer.
func (e *evaluator) fetchOCSP(url string, id ocsp.CertID) []byte {
	request, err := (&ocsp.Request{IDs: []ocsp.CertID{id}}).Marshal()
	if err != nil {
		return nil
	}
	if get := strings.TrimSuffix(url, "/") + "/" + ocsp.EncodeGET(request); len(get) <= maxGET {
		if body := e.get(get); body != nil {
			return body
		}
	}
	if !e.mayFetch(fmt.Sprintf("%s#%d-%x-%x", url, id.Hash, id.KeyHash, id.Serial)) {
		return nil
	}
	body, err := e.opts.Fetcher.Post(e.ctx, url, "application/ocsp-request", request)
	if err != nil {
		return nil
	}
	return body
}

// readOCSP judges one OCSP response about the first certificate of chain.
func (e *evaluator) readOCSP(body []byte, id ocsp.CertID, chain []*certificate, depth int) standing {
	unknown := standing{status: StatusUnknown, detail: "the OCSP responder gave no usable answer"}
	r, err := ocsp.ParseResponse(body)
	if err != nil {
		return unknown
	}
	responder, err := r.Verify(chain[1].Certificate, r.ProducedAt)
	if err != nil {
		return unknown
	}
	if x := e.intern(responder); x != chain[1] && !ocsp.NoCheck(responder) {
		if e.askCRLs(x, append([]*certificate{x}, chain[1:]...), depth+1).status == StatusRevoked {
			return unknown
		}
	}
	answer, ok := r.Find(id)
	if !ok {
		return unknown
	}
	switch {
	case answer.Status == ocsp.Revoked && e.effective(answer.RevokedAt, int(answer.Reason)):
		return standing{StatusRevoked, answer.RevokedAt, int(answer.Reason), "ocsp", ""}
	case answer.Status == ocsp.Unknown:
		return unknown
	case answer.NextUpdate.IsZero() && answer.ThisUpdate.Before(e.opts.At.Add(-24*time.Hour)) || !answer.NextUpdate.IsZero() && answer.NextUpdate.Before(e.opts.At):
		unknown.detail = "the answer of the OCSP responder is out of date"
		return unknown
	}
	return standing{StatusGood, time.Time{}, -1, "ocsp", ""}
}
