package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"strings"
)

// Bounds of one evaluation. A stranger chooses the certificates, so every step is counted.
const (
	maxDepth      = 16   // certificates in a path
	maxPool       = 1024 // intermediates looked at
	maxLists      = 1024 // CRLs looked at
	maxSignatures = 512  // signatures checked
	maxPaths      = 256  // complete paths judged
	maxSteps      = 2048 // certificates tried in the search
	maxFetches    = 24   // URLs asked
)

// Evaluate answers whether cert is believed under opts. It never fails: what cannot be told is a reason.
func Evaluate(ctx context.Context, cert *x509.Certificate, opts Options) Result {
	e := newEvaluator(ctx, &opts)
	leaf := e.intern(cert)
	best := verdict{chain: []*certificate{leaf}}
	e.search(leaf, func(chain []*certificate) bool {
		v := e.judge(chain)
		if v.better(best) {
			best = v
		}
		return v.trusted()
	})
	if best.stage == 0 {
		best = e.unfinished(leaf)
	}
	if ctx.Err() != nil && !best.trusted() {
		best.reasons = append(best.reasons, Reason{Cancelled, "The check was stopped before it was done."})
	}
	result := Result{Trusted: best.trusted(), Reasons: best.reasons, Revocation: best.revocation}
	if result.Trusted {
		result.Policies = best.policies
	}
	for _, c := range best.chain {
		result.Chain = append(result.Chain, c.Certificate)
	}
	if result.Revocation.Status == "" {
		result.Revocation = Revocation{Status: NotChecked, Reason: -1}
	}
	return result
}

// verdict is what is known of one path.
type verdict struct {
	stage      int // 0 no anchor, 1 reached one, 2 valid, revocation was asked
	chain      []*certificate
	reasons    []Reason
	revocation Revocation
	policies   []x509.OID
}

func (v verdict) trusted() bool { return v.stage == 2 && len(v.reasons) == 0 }

// better prefers the path that came further, then the one with fewer reasons against it.
func (v verdict) better(o verdict) bool {
	if v.stage != o.stage {
		return v.stage > o.stage
	}
	return len(v.reasons) < len(o.reasons)
}

// evaluator is the state of one evaluation.
type evaluator struct {
	ctx     context.Context
	opts    *Options
	known   map[string]*certificate   // by their DER
	bySubj  map[string][]*certificate // issuers to be, anchors first
	anchors map[*certificate]bool
	crls    []*CRL
	edges   map[[2]*certificate]signature

	signatures, paths, steps, fetches int
	comparisons                       int // still allowed
	exhausted                         bool
	fetched                           map[string]bool

	deadEnd     []*certificate // the longest path that found no issuer
	deadBad     bool           // there was one by name and key identifier, but the signature did not hold
	namesake    bool           // there was one by name, with another key
	standings   map[[2]*certificate]standing
	pending     map[*certificate]bool
	signers     map[signerKey]bool
	signedLists map[signedKey]bool
	asks        int
}

func newEvaluator(ctx context.Context, opts *Options) *evaluator {
	e := &evaluator{ctx: ctx, opts: opts, comparisons: maxComparisons, crls: slices.Clone(opts.CRLs[:min(len(opts.CRLs), maxLists)]), known: map[string]*certificate{}, bySubj: map[string][]*certificate{},
		anchors: map[*certificate]bool{}, edges: map[[2]*certificate]signature{}, fetched: map[string]bool{},
		standings: map[[2]*certificate]standing{}, pending: map[*certificate]bool{}, signers: map[signerKey]bool{}, signedLists: map[signedKey]bool{}}
	for _, x := range opts.Anchors {
		e.anchors[e.offer(x)] = true
	}
	for i, x := range opts.Intermediates {
		if i == maxPool {
			e.exhausted = true
			break
		}
		e.offer(x)
	}
	return e
}

// intern gives the one certificate value for these octets.
func (e *evaluator) intern(x *x509.Certificate) *certificate {
	if c := e.known[string(x.Raw)]; c != nil {
		return c
	}
	c := read(x)
	e.known[string(x.Raw)] = c
	return c
}

// offer makes x findable as an issuer.
func (e *evaluator) offer(x *x509.Certificate) *certificate {
	c := e.intern(x)
	key := c.subject.key()
	if !slices.Contains(e.bySubj[key], c) {
		e.bySubj[key] = append(e.bySubj[key], c)
	}
	return c
}

// search walks up from leaf and calls visit with every path that reaches an anchor, until visit says that it is
// enough.
func (e *evaluator) search(leaf *certificate, visit func([]*certificate) bool) bool {
	return e.climb([]*certificate{leaf}, visit)
}

func (e *evaluator) climb(chain []*certificate, visit func([]*certificate) bool) bool {
	c := chain[len(chain)-1]
	if e.steps++; e.steps > maxSteps {
		e.exhausted = true
		return false
	}
	if e.ctx.Err() != nil {
		return false
	}
	if e.anchors[c] {
		if e.paths++; e.paths > maxPaths {
			e.exhausted = true
			return false
		}
		if visit(slices.Clone(chain)) {
			return true
		}
	}
	if len(chain) == maxDepth {
		e.exhausted = true
		return false
	}
	tried := map[*certificate]bool{}
	found, bad, namesake := false, false, false
	for {
		candidates := e.candidates(c, tried)
		if len(candidates) == 0 && (found || !e.fetchIssuers(c)) {
			break
		}
		for _, up := range candidates {
			tried[up] = true
			if repeats(chain, up) {
				continue
			}
			if e.edge(c, up) == broken {
				bad = bad || !c.keyIDsDiffer(up)
				namesake = true
				continue
			}
			found = true
			if e.climb(append(chain[:len(chain):len(chain)], up), visit) {
				return true
			}
		}
	}
	if !found && len(chain) > len(e.deadEnd) && !e.anchors[c] {
		e.deadEnd, e.deadBad, e.namesake = slices.Clone(chain), bad, namesake
	}
	return false
}

// candidates lists the certificates whose subject is the issuer of c, most promising first.
func (e *evaluator) candidates(c *certificate, tried map[*certificate]bool) []*certificate {
	var list []*certificate
	for _, up := range e.bySubj[c.issuer.key()] {
		if up != c && !tried[up] {
			list = append(list, up)
		}
	}
	rank := func(up *certificate) int {
		n := 0
		if !e.anchors[up] {
			n += 2
		}
		if c.keyIDsDiffer(up) {
			n += 4
		}
		if e.opts.At.Before(up.NotBefore) || e.opts.At.After(up.NotAfter) {
			n++
		}
		return n
	}
	slices.SortStableFunc(list, func(a, b *certificate) int { return rank(a) - rank(b) })
	return list
}

// repeats reports whether up, or the same name with the same key, is already on the way.
func repeats(chain []*certificate, up *certificate) bool {
	return slices.ContainsFunc(chain, func(c *certificate) bool {
		return c == up || bytes.Equal(c.RawSubjectPublicKeyInfo, up.RawSubjectPublicKeyInfo) && c.subject.key() == up.subject.key()
	})
}

// edge checks, once, whether up signed c.
func (e *evaluator) edge(c, up *certificate) signature {
	key := [2]*certificate{c, up}
	if s, ok := e.edges[key]; ok {
		return s
	}
	if e.signatures++; e.signatures > maxSignatures {
		e.exhausted = true
		return broken
	}
	s := c.signedBy(up, e.opts.Memory)
	e.edges[key] = s
	return s
}

// judge validates one path and asks for revocation where the rest holds.
func (e *evaluator) judge(chain []*certificate) verdict {
	v := verdict{stage: 1, chain: chain}
	v.reasons, v.policies = validate(chain, e.opts, &e.comparisons)
	if len(v.reasons) > 0 {
		return v
	}
	v.stage = 2
	if e.opts.Revocation != Off {
		v.revocation, v.reasons = e.revocation(chain)
	}
	return v
}

// unfinished says why no path reached an anchor.
func (e *evaluator) unfinished(leaf *certificate) verdict {
	chain, bad := e.deadEnd, e.deadBad
	if len(chain) == 0 {
		chain = []*certificate{leaf}
	}
	last := chain[len(chain)-1]
	v := verdict{chain: chain}
	switch {
	case e.exhausted:
		v.reasons = []Reason{{TooComplex, "There are more certificates and ways between them than can be looked at."}}
	case bad && !(last.selfIssued() && last.signedBy(last, nil) == holds):
		v.reasons = []Reason{*last.reason(BadSignature, "was not signed by the issuer that it names: the signature does not hold")}
	case last.selfIssued():
		v.reasons = []Reason{*last.reason(UnknownIssuer, "is its own issuer and not among the trusted ones")}
	case e.namesake:
		v.reasons = []Reason{*last.reason(UnknownIssuer, "is issued by %s, but by another key than that of the one at hand", issuerTitle(last))}
	default:
		v.reasons = []Reason{*last.reason(UnknownIssuer, "is issued by %s, which is neither trusted nor among the certificates at hand", issuerTitle(last))}
	}
	return v
}

func issuerTitle(c *certificate) string {
	for _, s := range []string{c.Issuer.CommonName, strings.Join(c.Issuer.OrganizationalUnit, ", "), strings.Join(c.Issuer.Organization, ", ")} {
		if s != "" {
			return s
		}
	}
	return "an issuer without a name"
}
