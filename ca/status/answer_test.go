package status

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/trust/ocsp"
)

// ask makes the request for certificates of an issuer.
func ask(t testing.TB, nonce []byte, hash crypto.Hash, issuer *x509.Certificate, serials ...*big.Int) []byte {
	t.Helper()
	r := ocsp.Request{Nonce: nonce}
	for _, s := range serials {
		id, err := ocsp.NewCertID(issuer, s, hash)
		if err != nil {
			t.Fatal(err)
		}
		r.IDs = append(r.IDs, id)
	}
	der, err := r.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// read parses an answer and checks its signature.
func read(t testing.TB, h *house, a Answer, at time.Time) *ocsp.Response {
	t.Helper()
	r, err := ocsp.ParseResponse(a.DER)
	if err != nil {
		t.Fatal(err)
	}
	if r.Error != a.Error {
		t.Fatalf("the answer is %v and says %v", r.Error, a.Error)
	}
	if r.Error == ocsp.Successful {
		if _, err := r.Verify(h.issuing, at); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestOpenSSLIsAnswered(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	h.subscriber(t, l, "good.pem")
	gone := h.subscriber(t, l, "gone.pem")
	h.subscriber(t, newLedger(), "never.pem") // of a restored house that knows nothing of it
	revoke(t, l, revocation(serialOf(gone), KeyCompromise))
	cases := map[string]struct {
		ask  []string
		want map[string]string // by file
	}{
		"a good one":                         {[]string{"-no_nonce", "-cert", "good.pem"}, map[string]string{"good.pem": "good"}},
		"a revoked one":                      {[]string{"-no_nonce", "-cert", "gone.pem"}, map[string]string{"gone.pem": "revoked"}},
		"one that was never issued":          {[]string{"-no_nonce", "-cert", "never.pem"}, map[string]string{"never.pem": "unknown"}},
		"with a nonce":                       {[]string{"-nonce", "-cert", "good.pem"}, map[string]string{"good.pem": "good"}},
		"by SHA-256":                         {[]string{"-no_nonce", "-sha256", "-cert", "gone.pem"}, map[string]string{"gone.pem": "revoked"}},
		"three at once, each by its own way": {[]string{"-nonce", "-cert", "good.pem", "-sha256", "-cert", "gone.pem", "-sha384", "-cert", "never.pem"}, map[string]string{"good.pem": "good", "gone.pem": "revoked", "never.pem": "unknown"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			args := []string{"ocsp", "-issuer", filepath.Join(h.dir, "issuing.pem")}
			for _, x := range c.ask {
				if strings.HasSuffix(x, ".pem") {
					x = filepath.Join(h.dir, x)
				}
				args = append(args, x)
			}
			dir := t.TempDir()
			request, response := filepath.Join(dir, "request"), filepath.Join(dir, "response")
			if out, code := openssl(t, append(args, "-reqout", request)...); code != 0 {
				t.Fatal(out)
			}
			der, err := os.ReadFile(request)
			if err != nil {
				t.Fatal(err)
			}
			if i := slices.Index(args, "-nonce"); i > 0 {
				args[i] = "-no_nonce" // the request that is read has one; another would be added to it
			}
			for _, again := range []string{"first", "second"} { // the second time it is ready
				if err := os.WriteFile(response, a.Respond(context.Background(), der).DER, 0o600); err != nil {
					t.Fatal(err)
				}
				out, code := openssl(t, append(args, "-reqin", request, "-respin", response, "-CAfile", filepath.Join(h.dir, "root.pem"))...)
				if code != 0 || !strings.Contains(out, "Response verify OK") || strings.Contains(out, "WARNING") {
					t.Errorf("%s: %d %s", again, code, out)
				}
				for file, status := range c.want {
					if !strings.Contains(out, filepath.Join(h.dir, file)+": "+status) {
						t.Errorf("%s: %s is not %s: %s", again, file, status, out)
					}
				}
			}
		})
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	h, other, l := newHouse(t, "p256"), newHouse(t, "p256"), newLedger()
	leaf := h.subscriber(t, l, "leaf.pem")
	a := h.open(t, l, Options{})
	mixed := func(issuers ...*x509.Certificate) []byte {
		var r ocsp.Request
		for _, c := range issuers {
			id, err := ocsp.NewCertID(c, leaf.SerialNumber, crypto.SHA1)
			if err != nil {
				t.Fatal(err)
			}
			r.IDs = append(r.IDs, id)
		}
		der, err := r.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	usual := ask(t, nil, crypto.SHA1, h.issuing, leaf.SerialNumber)
	many := make([]*big.Int, 1000)
	for i := range many {
		many[i] = leaf.SerialNumber
	}
	cases := map[string]struct {
		request []byte
		want    ocsp.ErrorStatus
	}{
		"nothing":                     {nil, ocsp.MalformedRequest},
		"no DER":                      {[]byte("GET me an answer"), ocsp.MalformedRequest},
		"cut off":                     {usual[:len(usual)-3], ocsp.MalformedRequest},
		"with octets after it":        {append(append([]byte{}, usual...), 0), ocsp.MalformedRequest},
		"huge":                        {make([]byte, 64<<10), ocsp.MalformedRequest},
		"another CA's certificate":    {mixed(other.issuing), ocsp.Unauthorized},
		"our root, which has nobody":  {mixed(h.root), ocsp.Unauthorized},
		"certificates of two of ours": {mixed(h.issuing, h.root), ocsp.Unauthorized},
		"ours and a stranger's":       {mixed(h.issuing, other.issuing), ocsp.Successful},
		"the same one twice":          {mixed(h.issuing, h.issuing), ocsp.Successful},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := a.Respond(context.Background(), c.request)
			r := read(t, h, got, time.Now())
			if got.Error != c.want {
				t.Fatalf("%v", got.Error)
			}
			if c.want != ocsp.Successful && (got.Shared || got.Tag != "") {
				t.Errorf("a refusal may be cached: %+v", got)
			}
			if name == "ours and a stranger's" && (r.Responses[0].Status != ocsp.Good || r.Responses[1].Status != ocsp.Unknown) {
				t.Errorf("%+v", r.Responses)
			}
		})
	}
	var r ocsp.Request
	for _, s := range many {
		id, _ := ocsp.NewCertID(h.issuing, s, crypto.SHA1)
		r.IDs = append(r.IDs, id)
	}
	if der, err := r.Marshal(); err == nil { // the codec may refuse to write it already
		if got := a.Respond(context.Background(), der); got.Error != ocsp.MalformedRequest {
			t.Errorf("a thousand serial numbers: %v", got.Error)
		}
	}
}

func TestSerialNumbersThatCannotBeAreUnknown(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	for _, n := range []*big.Int{big.NewInt(0), big.NewInt(-5), big.NewInt(7), new(big.Int).Lsh(big.NewInt(1), 200)} {
		got := a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, n))
		r := read(t, h, got, time.Now())
		if got.Error != ocsp.Successful || r.Responses[0].Status != ocsp.Unknown {
			t.Errorf("%v: %v %+v", n, got.Error, r.Responses)
		}
		if time.Until(got.Refresh) > unknownLife {
			t.Errorf("%v: unknown until %v, though it may be issued at the next moment", n, got.Refresh)
		}
	}
}

func TestAnAnswerKeepsTheRules(t *testing.T) {
	h, l, c := newHouse(t, "p256"), newLedger(), newClock()
	leaf := h.subscriber(t, l, "leaf.pem")
	for _, life := range []time.Duration{8 * time.Hour, 16 * time.Hour, 48 * time.Hour, 240 * time.Hour} {
		a := h.open(t, l, Options{Clock: c.now, AnswerLife: life})
		got := a.Respond(context.Background(), ask(t, nil, crypto.SHA256, h.issuing, leaf.SerialNumber))
		r := read(t, h, got, c.now())
		s := r.Responses[0]
		if s.NextUpdate.Sub(s.ThisUpdate) != life || !s.ThisUpdate.Equal(got.ThisUpdate) || !s.NextUpdate.Equal(got.NextUpdate) || s.ThisUpdate.After(c.now()) {
			t.Errorf("life %v: from %v to %v", life, s.ThisUpdate, s.NextUpdate)
		}
		after, before := got.Refresh.Sub(s.ThisUpdate), s.NextUpdate.Sub(got.Refresh)
		if after > life/2 || life >= 16*time.Hour && (before < 8*time.Hour || after > 96*time.Hour) {
			t.Errorf("life %v: a newer one only after %v, %v before the end (SBR 4.9.10)", life, after, before)
		}
	}
	// A responder that ends soon cannot sign beyond its own end, and one that has ended cannot sign at all.
	k := key(t, "p256")
	soon := c.now().Add(20 * time.Hour)
	a := h.open(t, l, Options{Clock: c.now})
	if err := a.SetResponder("issuing", Responder{Certificate: h.newResponder(t, k, soon), Signer: k}); err != nil {
		t.Fatal(err)
	}
	request := ask(t, nil, crypto.SHA1, h.issuing, leaf.SerialNumber)
	if got := a.Respond(context.Background(), request); got.NextUpdate.After(soon) || got.Error != ocsp.Successful {
		t.Errorf("%v until %v, the responder until %v", got.Error, got.NextUpdate, soon)
	}
	c.advance(21 * time.Hour)
	if got := a.Respond(context.Background(), request); got.Error != ocsp.TryLater {
		t.Errorf("after the responder's end: %v", got.Error)
	}
	if err := a.SetResponder("issuing", Responder{Certificate: h.responder, Signer: h.responderKey}); err != nil {
		t.Fatal(err)
	}
	if got := a.Respond(context.Background(), request); got.Error != ocsp.Successful {
		t.Errorf("after its renewal: %v", got.Error)
	}
}

func TestARevocationIsAnsweredWithinASecond(t *testing.T) {
	for name, how := range map[string]func(*Authority, *ledger, Revocation) error{
		"through the authority": func(a *Authority, _ *ledger, r Revocation) error {
			return a.Commit(context.Background(), Change{Revocations: []Revocation{r}})
		},
		"by another process": func(_ *Authority, l *ledger, r Revocation) error {
			return l.CommitRevocations(context.Background(), Change{Revocations: []Revocation{r}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, l := newHouse(t, "p256"), newLedger()
			leaf, other := h.subscriber(t, l, "leaf.pem"), h.subscriber(t, l, "other.pem")
			a := h.open(t, l, Options{})
			run(t, a)
			status := func(c *x509.Certificate) ocsp.SingleResponse {
				got := a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, c.SerialNumber))
				return read(t, h, got, time.Now()).Responses[0]
			}
			if status(leaf).Status != ocsp.Good || status(other).Status != ocsp.Good {
				t.Fatal("not good before")
			}
			kept := a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, other.SerialNumber))
			if err := how(a, l, revocation(serialOf(leaf), CessationOfOperation)); err != nil {
				t.Fatal(err)
			}
			withinASecond(t, "revoked", func() bool { return status(leaf).Status == ocsp.Revoked })
			if s := status(leaf); s.Reason != ocsp.CessationOfOperation || time.Since(s.RevokedAt) > 5*time.Second {
				t.Errorf("%+v", s)
			}
			if again := a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, other.SerialNumber)); again.Tag != kept.Tag {
				t.Error("the answer about another certificate was not kept")
			}
		})
	}
}

// TestNoAnswerOutlivesARevocationThatCameBetween holds an answer up between its look at the ledger and its being
// kept, and revokes meanwhile.
func TestNoAnswerOutlivesARevocationThatCameBetween(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	leaf := h.subscriber(t, l, "leaf.pem")
	a := h.open(t, l, Options{})
	request := ask(t, nil, crypto.SHA1, h.issuing, leaf.SerialNumber)
	slow := &slowLedger{ledger: l, looked: make(chan struct{}), on: make(chan struct{})}
	a.ledger = slow
	var first Answer
	var done sync.WaitGroup
	done.Go(func() { first = a.Respond(context.Background(), request) })
	<-slow.looked
	a.ledger = l
	if err := a.Commit(context.Background(), Change{Revocations: []Revocation{revocation(serialOf(leaf), Superseded)}}); err != nil {
		t.Fatal(err)
	}
	close(slow.on)
	done.Wait()
	if s := read(t, h, first, time.Now()).Responses[0].Status; s != ocsp.Good {
		t.Fatalf("the test did not make the race: %v", s)
	}
	if s := read(t, h, a.Respond(context.Background(), request), time.Now()).Responses[0].Status; s != ocsp.Revoked {
		t.Errorf("after the revocation: %v", s)
	}
}

// slowLedger stops after it has read a standing, until told to go on.
type slowLedger struct {
	*ledger
	looked, on chan struct{}
}

func (s *slowLedger) Standing(ctx context.Context, issuer string, n issuance.Serial) (Standing, error) {
	st, err := s.ledger.Standing(ctx, issuer, n)
	close(s.looked)
	<-s.on
	return st, err
}

// deadLedger is a database that does not answer.
type deadLedger struct{ *ledger }

func (deadLedger) Standing(context.Context, string, issuance.Serial) (Standing, error) {
	return Standing{}, errors.New("the database is gone")
}

func TestInDoubtNothingIsGood(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	leaf := h.subscriber(t, l, "leaf.pem")
	a := h.open(t, deadLedger{l}, Options{})
	if got := a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, leaf.SerialNumber)); got.Error != ocsp.TryLater {
		t.Errorf("without a database: %v", got.Error)
	}
}

func TestKeptAnswersAreBounded(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{MaxAnswers: 10})
	for range 30 {
		s := issuance.NewSerial()
		l.issue("issuing", s)
		for _, hash := range certIDHashes {
			a.Respond(context.Background(), ask(t, nil, hash, h.issuing, s.Int()))
		}
		a.Respond(context.Background(), ask(t, nil, crypto.SHA1, h.issuing, issuance.NewSerial().Int())) // unknown: not kept
		a.Respond(context.Background(), ask(t, []byte("nonce"), crypto.SHA1, h.issuing, s.Int()))        // not kept
	}
	k := a.answers
	if len(k.ready) != 10 || len(k.requests) > 10 {
		t.Errorf("%d answers about %d certificates are kept", len(k.ready), len(k.requests))
	}
	for about, keys := range k.requests {
		if len(keys) == 0 || len(keys) > maxKeptVariants {
			t.Errorf("%v is kept in %d variants", about, len(keys))
		}
		k.forget(about.issuer, about.serial)
	}
	if len(k.ready) != 0 || len(k.requests) != 0 {
		t.Errorf("%d answers about %d certificates are left", len(k.ready), len(k.requests))
	}
}

func FuzzRespond(f *testing.F) {
	h, l := newHouse(f, "p256"), newLedger()
	leaf := h.subscriber(f, l, "leaf.pem")
	a := h.open(f, l, Options{})
	f.Add(ask(f, nil, crypto.SHA1, h.issuing, leaf.SerialNumber))
	f.Add(ask(f, []byte("a nonce of some octets"), crypto.SHA256, h.issuing, leaf.SerialNumber, big.NewInt(1)))
	f.Fuzz(func(t *testing.T, request []byte) {
		got := a.Respond(context.Background(), request)
		r := read(t, h, got, time.Now())
		for _, s := range r.Responses {
			if s.Status == ocsp.Good && s.ID.Serial.Cmp(leaf.SerialNumber) != 0 {
				t.Errorf("good: %v", s.ID.Serial)
			}
		}
	})
}

func BenchmarkRespond(b *testing.B) {
	h, l := newHouse(b, "p256"), newLedger()
	leaf := h.subscriber(b, l, "leaf.pem")
	a := h.open(b, l, Options{})
	for name, nonce := range map[string][]byte{"ready": nil, "signed": []byte("0123456789abcdef")} {
		request := ask(b, nonce, crypto.SHA1, h.issuing, leaf.SerialNumber)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if got := a.Respond(context.Background(), request); got.Error != ocsp.Successful {
						b.Error(got.Error)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
		})
	}
}
