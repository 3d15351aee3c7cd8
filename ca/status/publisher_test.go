package status

import (
	"context"
	"crypto"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/fault"
)

func TestAListIsThereFromTheStart(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	if _, err := a.CRL(context.Background(), "issuing"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("before the first list: %v", err)
	}
	run(t, a)
	soon(t, "the first list", func() bool { _, err := a.CRL(context.Background(), "issuing"); return err == nil })
	c, err := a.CRL(context.Background(), "issuing")
	if err != nil || c.Number != 1 || c.NextUpdate.Sub(c.ThisUpdate) != 7*24*time.Hour {
		t.Fatalf("%+v, %v", c, err)
	}
	parse(t, c.DER, h.issuing)
	if e := l.entries; len(e) != 1 || e[0].Action != "crl.publish" || e[0].Subject != "crl/issuing/1" {
		t.Errorf("audit entries: %+v", e)
	}
}

func TestTwoHundredRevocationsAreListedWithinASecond(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	elsewhere := h.open(t, l, Options{}) // another node, which is told nothing
	run(t, a)
	run(t, elsewhere)
	soon(t, "the first list", func() bool { _, err := a.CRL(context.Background(), "issuing"); return err == nil })

	var serials [200]issuance.Serial
	var all sync.WaitGroup
	for i := range serials {
		serials[i] = issuance.NewSerial()
		l.issue("issuing", serials[i])
		all.Go(func() {
			time.Sleep(time.Duration(i) * time.Millisecond / 4)
			if err := a.Commit(context.Background(), Change{Revocations: []Revocation{revocation(serials[i], Superseded)}}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, node := range []*Authority{a, elsewhere} {
		withinASecond(t, "all 200 on the list", func() bool {
			c, err := node.CRL(context.Background(), "issuing")
			if err != nil {
				t.Fatal(err)
			}
			list := parse(t, c.DER, h.issuing)
			for _, s := range serials {
				if !has(list, s.Int()) {
					return false
				}
			}
			return true
		})
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.lists["issuing"]); n > 6 {
		t.Errorf("%d lists were signed for one burst", n)
	}
	for i, c := range l.lists["issuing"] {
		if c.Number != int64(i+1) || i > 0 && c.Upto < l.lists["issuing"][i-1].Upto {
			t.Errorf("list %d has number %d and goes up to %d", i, c.Number, c.Upto)
		}
	}
}

func TestRevocationsOfAnotherProcessAreListedWithinASecond(t *testing.T) {
	h, l := newHouse(t, "rsa"), newLedger()
	a := h.open(t, l, Options{})
	run(t, a)
	soon(t, "the first list", func() bool { _, err := a.CRL(context.Background(), "issuing"); return err == nil })
	leaf := h.subscriber(t, l, "leaf.pem")
	h.subscriber(t, l, "other.pem")
	revoke(t, l, revocation(serialOf(leaf), KeyCompromise)) // nobody calls Wake
	withinASecond(t, "the revocation on the list", func() bool {
		c, err := a.CRL(context.Background(), "issuing")
		return err == nil && has(parse(t, c.DER, h.issuing), leaf.SerialNumber)
	})
	c, _ := a.CRL(context.Background(), "issuing")
	crl := h.write(t, "issuing.crl", c.DER)
	check := func(leaf string) (string, int) {
		return openssl(t, "verify", "-crl_check", "-CAfile", filepath.Join(h.dir, "root.pem"), "-untrusted", filepath.Join(h.dir, "issuing.pem"),
			"-CRLfile", crl, filepath.Join(h.dir, leaf))
	}
	if out, code := check("leaf.pem"); code == 0 || !strings.Contains(out, "certificate revoked") {
		t.Errorf("the revoked one: %d %s", code, out)
	}
	if out, code := check("other.pem"); code != 0 {
		t.Errorf("the other one: %d %s", code, out)
	}
}

// clock is set by hand.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(0, c.at.Load()) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Now().UnixNano())
	return c
}

func TestListsFollowEachOtherAtHalfOfTheirLife(t *testing.T) {
	h, l, c := newHouse(t, "p256"), newLedger(), newClock()
	a := h.open(t, l, Options{Clock: c.now})
	is := a.byName["issuing"]
	turn := func() CRL {
		t.Helper()
		if _, err := a.turn(context.Background(), is); err != nil {
			t.Fatal(err)
		}
		return *is.list.Load()
	}
	if n := turn().Number; n != 1 {
		t.Fatalf("number %d", n)
	}
	c.advance(3*24*time.Hour + 11*time.Hour)
	if n := turn().Number; n != 1 {
		t.Errorf("before half of the life there is list %d", n)
	}
	c.advance(2 * time.Hour)
	second := turn()
	if second.Number != 2 || second.NextUpdate.Sub(c.now()) < 6*24*time.Hour {
		t.Errorf("after half of the life: list %d until %v", second.Number, second.NextUpdate)
	}
}

func TestAnEntryIsOnOneListAfterItsCertificateEnded(t *testing.T) {
	h, l, c := newHouse(t, "p256"), newLedger(), newClock()
	serial := issuance.NewSerial()
	r := revocation(serial, Superseded)
	r.NotAfter = c.now().AddDate(0, 0, 1)
	revoke(t, l, r)
	listed := func(a *Authority) bool {
		t.Helper()
		list, err := a.Publish(context.Background(), "issuing")
		if err != nil {
			t.Fatal(err)
		}
		return has(parse(t, list.DER, h.issuing), serial.Int())
	}
	a := h.open(t, l, Options{Clock: c.now})
	if !listed(a) {
		t.Error("not listed while its certificate lives")
	}
	c.advance(8 * 24 * time.Hour)
	if !listed(h.open(t, l, Options{Clock: c.now})) {
		t.Error("after a restart: not on the first list after the end")
	}
	c.advance(8 * 24 * time.Hour)
	if listed(a) || listed(h.open(t, l, Options{Clock: c.now})) {
		t.Error("still listed, though one list after the end had it")
	}
}

func TestAnotherNodesListIsTaken(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a, b := h.open(t, l, Options{}), h.open(t, l, Options{})
	for i := range 3 {
		revoke(t, l, revocation(issuance.NewSerial(), Superseded))
		first, err := a.publish(context.Background(), a.byName["issuing"], h.issuingKey, false)
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.publish(context.Background(), b.byName["issuing"], h.issuingKey, false)
		if err != nil {
			t.Fatal(err)
		}
		if first.Number != int64(i+1) || second.Number != first.Number {
			t.Errorf("round %d: lists %d and %d", i, first.Number, second.Number)
		}
	}
	var both sync.WaitGroup
	for _, n := range []*Authority{a, b, a, b} {
		both.Go(func() {
			if _, err := n.Publish(context.Background(), "issuing"); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if last, err := l.LastCRL(context.Background(), "issuing"); err != nil || last.Number != 7 {
		t.Errorf("after four forced lists: %d, %v", last.Number, err)
	}
}

func TestAnOfflineRootSaysWhatToDo(t *testing.T) {
	h, l, c := newHouse(t, "p256"), newLedger(), newClock()
	a := h.open(t, l, Options{Clock: c.now})
	ctx := context.Background()
	problem := func() string {
		if _, err := a.turn(ctx, a.byName["root"]); err != nil {
			t.Fatal(err)
		}
		return a.Lists()[0].Problem
	}
	if _, err := a.Publish(ctx, "root"); !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Sentence(err), "no revocation list of root yet") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := a.PublishWith(ctx, "root", h.issuingKey); !fault.Is(err, fault.Invalid) {
		t.Errorf("with another's key: %v", err)
	}
	first, err := a.PublishWith(ctx, "root", h.rootKey)
	if err != nil || first.NextUpdate.Sub(first.ThisUpdate) != 365*24*time.Hour {
		t.Fatalf("with its key: %v to %v, %v", first.ThisUpdate, first.NextUpdate, err)
	}
	parse(t, first.DER, h.root)
	if p := problem(); p != "" {
		t.Errorf("right after: %q", p)
	}
	c.advance(200 * 24 * time.Hour)
	if p := problem(); !strings.Contains(p, "holds until "+first.NextUpdate.Format(time.DateOnly)) {
		t.Errorf("after half of the life: %q", p)
	}
	r := revocation(issuance.NewSerial(), CACompromise)
	r.Issuer = "root"
	r.NotAfter = c.now().AddDate(5, 0, 0)
	revoke(t, l, r)
	if p := problem(); !strings.Contains(p, "within 24 hours") {
		t.Errorf("after a revocation: %q", p)
	}
	if err := a.SetCRLSigner("root", h.rootKey); err != nil {
		t.Fatal(err)
	}
	if p := problem(); p != "" || !has(parse(t, a.byName["root"].list.Load().DER, h.root), r.Serial.Int()) {
		t.Errorf("with the key at hand: %q", p)
	}
	c.advance(400 * 24 * time.Hour)
	if err := a.SetCRLSigner("root", nil); err != nil {
		t.Fatal(err)
	}
	if p := a.Lists()[0].Problem; !strings.Contains(p, "has ended") {
		t.Errorf("after its end: %q", p)
	}
}

// brokenKey is a token that does not answer.
type brokenKey struct{ crypto.Signer }

func (brokenKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the token was pulled out")
}

func TestAKeyThatFailsLeavesTheLastListServed(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	ctx := context.Background()
	if _, err := a.Publish(ctx, "issuing"); err != nil {
		t.Fatal(err)
	}
	if err := a.SetCRLSigner("issuing", brokenKey{h.issuingKey}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Publish(ctx, "issuing"); err == nil {
		t.Fatal("a list without a signature")
	}
	if c, err := a.CRL(ctx, "issuing"); err != nil || c.Number != 1 {
		t.Errorf("served: %d, %v", c.Number, err)
	}
	if p := a.Lists()[1].Problem; !strings.Contains(p, "could not be signed") {
		t.Errorf("problem: %q", p)
	}
}

func TestCACertificatesAreRevokedWithAReason(t *testing.T) {
	h, l := newHouse(t, "p256"), newLedger()
	a := h.open(t, l, Options{})
	r := revocation(issuance.NewSerial(), Unspecified)
	r.Issuer = "root"
	if err := a.Commit(context.Background(), Change{Revocations: []Revocation{r}}); !fault.Is(err, fault.Refused) {
		t.Errorf("without a reason: %v", err)
	}
}

func TestOptionsKeepTheRules(t *testing.T) {
	h := newHouse(t, "p256")
	for name, o := range map[string]Options{
		"a list of 11 days":    {ListLife: 11 * 24 * time.Hour},
		"a list of a minute":   {ListLife: time.Minute},
		"an answer of 7 hours": {AnswerLife: 7 * time.Hour},
		"an answer of 11 days": {AnswerLife: 11 * 24 * time.Hour},
	} {
		if _, err := New(newLedger(), o, h.issuers()...); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	twice := append(h.issuers(), h.issuers()[0])
	if _, err := New(newLedger(), Options{}, twice...); err == nil {
		t.Error("two issuers of one name")
	}
	other := newHouse(t, "p256")
	bad := h.issuers()
	bad[1].Responder = &Responder{Certificate: other.responder, Signer: other.responderKey}
	if _, err := New(newLedger(), Options{}, bad...); err == nil || !strings.Contains(err.Error(), "was not certified") {
		t.Errorf("a responder of another CA: %v", err)
	}
	bad[1].Responder = &Responder{Certificate: h.responder, Signer: other.responderKey}
	if _, err := New(newLedger(), Options{}, bad...); err == nil {
		t.Error("a responder with another key")
	}
}
