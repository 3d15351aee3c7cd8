package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"chancery.example/app"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/config"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/keys/delivery"
	"chancery.example/lifecycle"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/agreement"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

// The kill tests end the house with SIGKILL before and after the commit of every row of an order's path, start it
// again, and look whether the order goes on, nothing signed is unknown, and no mail came twice without a reason.

// childEnv names the file with the plan of a child process: this test binary, started again to be killed.
const childEnv = "CHANCERY_E2E_CHILD"

// childPlan is what a child does.
type childPlan struct {
	Config   config.Config
	DSN      string // a config.Secret does not travel in JSON
	Move     order.Move
	After    bool   // die after the commit, not before
	Scenario string // name in scenarios
	Seen     string // file that gets the serial number of every certificate that was signed
}

// killer stands between the conductor and its ledger, and ends the process at one row of the path.
type killer struct {
	workflow.Ledger
	plan childPlan
}

func (k *killer) Commit(ctx context.Context, s workflow.Step) error {
	if s.Issued != nil { // signed in this process, and not yet recorded
		f, err := os.OpenFile(k.plan.Seen, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		fmt.Fprintln(f, s.Issued.Serial)
		f.Close()
	}
	here := false
	for _, m := range s.Moves {
		here = here || m == k.plan.Move
	}
	if here && !k.plan.After {
		die()
	}
	err := k.Ledger.Commit(ctx, s)
	if here && err == nil {
		die()
	}
	return err
}

func die() {
	syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// actor is whoever walks an order along its path in a child and in its parent.
type actor struct {
	*app.House
	config config.Config
	clock  *testClock
}

// testClock is the real clock with an offset, so that a scenario can let time pass.
type testClock struct{ offset time.Duration }

func (c *testClock) now() time.Time { return time.Now().Add(c.offset) }

const killAddress = "alice@example.com"

// scenarios lead an order to the rows of the path. Each must go on until the process is killed; one that comes to its
// end says that the row was never reached.
var scenarios = map[string]func(context.Context, *actor) error{
	"a key born at pick-up, twice": func(ctx context.Context, a *actor) error {
		o, pickup, err := a.upToApproved(ctx, nil)
		if err != nil {
			return err
		}
		if err := a.Conductor.AskPickup(ctx, o.ID, audit.Actor{Kind: audit.Applicant}); err != nil {
			return err
		}
		if _, err := a.letter(ctx, "/pickup/"); err != nil {
			return err
		}
		if _, err := a.Conductor.PickUp(ctx, pickup, bornChoice(false)); err != nil {
			return err
		}
		if _, err := a.Conductor.PickUp(ctx, pickup, bornChoice(true)); err != nil {
			return err
		}
		if err := a.settled(ctx, o.ID, workflow.MailIssued); err != nil { // its links are an inform of an issued order
			return err
		}
		if err := a.Conductor.Receive(ctx, o.ID, audit.Actor{Kind: audit.Applicant}); err != nil {
			return err
		}
		o, err = a.Store.Order(ctx, o.ID)
		if err != nil {
			return err
		}
		if err := a.Desk.Revoke(ctx, issuance.Serial(o.Serial), status.Superseded, audit.Actor{Kind: audit.Operator}); err != nil {
			return err
		}
		return a.settled(ctx, o.ID, "revoked")
	},
	"revoked before it arrived": func(ctx context.Context, a *actor) error {
		o, pickup, err := a.upToApproved(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := a.Conductor.PickUp(ctx, pickup, bornChoice(false)); err != nil {
			return err
		}
		if o, err = a.Store.Order(ctx, o.ID); err != nil {
			return err
		}
		return a.Desk.Revoke(ctx, issuance.Serial(o.Serial), status.KeyCompromise, audit.Actor{Kind: audit.Applicant})
	},
	"reminded that it ends": func(ctx context.Context, a *actor) error {
		o, pickup, err := a.upToApproved(ctx, nil)
		if err != nil {
			return err
		}
		if _, err := a.Conductor.PickUp(ctx, pickup, bornChoice(false)); err != nil {
			return err
		}
		if err := a.settled(ctx, o.ID, workflow.MailIssued); err != nil {
			return err
		}
		if err := a.Conductor.Receive(ctx, o.ID, audit.Actor{Kind: audit.Applicant}); err != nil {
			return err
		}
		a.clock.offset += 720 * 24 * time.Hour
		if err := a.Desk.Remind(ctx, jobs.Attempt{}); err != nil {
			return err
		}
		return a.settled(ctx, o.ID, lifecycle.MailExpiring)
	},
	"a crash left an intent": func(ctx context.Context, a *actor) error {
		// With SQLite opening the house has settled it and this is never reached. With PostgreSQL other nodes may be at
		// work, so that a job does it two minutes later; this is what the job calls.
		if err := a.Conductor.SettleAll(ctx); err != nil {
			return err
		}
		return errors.New("no intent was settled")
	},
	"cancelled before confirming": func(ctx context.Context, a *actor) error {
		o, err := a.submit(ctx, nil)
		if err != nil {
			return err
		}
		return a.Conductor.Cancel(ctx, o.ID, "", audit.Actor{Kind: audit.Applicant})
	},
	"cancelled when approved": func(ctx context.Context, a *actor) error {
		o, _, err := a.upToApproved(ctx, nil)
		if err != nil {
			return err
		}
		return a.Conductor.Cancel(ctx, o.ID, "", audit.Actor{Kind: audit.Applicant})
	},
	"the evidence lapsed while the order waited": func(ctx context.Context, a *actor) error {
		o, err := a.submit(ctx, nil)
		if err != nil {
			return err
		}
		text, err := a.letter(ctx, "/confirm/")
		if err != nil {
			return err
		}
		a.clock.offset += 12 * time.Hour // the evidence counts from the mail, the window from the approval
		done, err := a.Conductor.Confirm(ctx, order.Secret(secretOf(text.link("/confirm/"))), false, audit.Actor{Kind: audit.Applicant})
		if err != nil {
			return err
		}
		a.clock.offset += 30*24*time.Hour - 6*time.Hour
		if err := a.Conductor.AskPickup(ctx, o.ID, audit.Actor{Kind: audit.Applicant}); err != nil {
			return err
		}
		_ = done
		if err := a.settled(ctx, o.ID, workflow.MailPickup); err != nil {
			return err
		}
		text, err = a.letter(ctx, "/pickup/")
		if err != nil {
			return err
		}
		_, err = a.Conductor.PickUp(ctx, order.Secret(secretOf(text.link("/pickup/"))), bornChoice(false))
		return err
	},
}

func bornChoice(again bool) workflow.Choice {
	return workflow.Choice{Password: "correct horse battery", Encoding: delivery.Modern, Again: again, By: audit.Actor{Kind: audit.Applicant}}
}

// killCase is one row of the path with the scenario that reaches it.
type killCase struct {
	scenario string
	// first, when set, is a row at which an earlier child dies before its commit, so that the scenario finds its traces.
	first order.Move
}

// killCases has a case for every row of order.Path; TestKill fails where one is missing.
var killCases = map[order.Move]killCase{
	{From: order.New, On: order.Submit, To: order.Confirming}:        {scenario: "a key born at pick-up, twice"},
	{From: order.Confirming, On: order.Inform, To: order.Confirming}: {scenario: "a key born at pick-up, twice"},
	{From: order.Confirming, On: order.Confirm, To: order.Proved}:    {scenario: "a key born at pick-up, twice"},
	{From: order.Confirming, On: order.Cancel, To: order.Cancelled}:  {scenario: "cancelled before confirming"},
	{From: order.Proved, On: order.Approve, To: order.Approved}:      {scenario: "a key born at pick-up, twice"},
	{From: order.Approved, On: order.Inform, To: order.Approved}:     {scenario: "a key born at pick-up, twice"},
	{From: order.Approved, On: order.Prepare, To: order.Issuing}:     {scenario: "a key born at pick-up, twice"},
	{From: order.Approved, On: order.Refuse, To: order.Refused}:      {scenario: "the evidence lapsed while the order waited"},
	{From: order.Approved, On: order.Cancel, To: order.Cancelled}:    {scenario: "cancelled when approved"},
	{From: order.Issuing, On: order.Issue, To: order.Issued}:         {scenario: "a key born at pick-up, twice"},
	{From: order.Issuing, On: order.Abandon, To: order.Approved}:     {scenario: "a crash left an intent", first: order.Move{From: order.Issuing, On: order.Issue, To: order.Issued}},
	{From: order.Issued, On: order.Inform, To: order.Issued}:         {scenario: "a key born at pick-up, twice"},
	{From: order.Issued, On: order.Repeat, To: order.Issuing}:        {scenario: "a key born at pick-up, twice"},
	{From: order.Issued, On: order.Receive, To: order.Delivered}:     {scenario: "a key born at pick-up, twice"},
	{From: order.Issued, On: order.Revoke, To: order.Revoked}:        {scenario: "revoked before it arrived"},
	{From: order.Delivered, On: order.Inform, To: order.Delivered}:   {scenario: "reminded that it ends"},
	{From: order.Delivered, On: order.Revoke, To: order.Revoked}:     {scenario: "a key born at pick-up, twice"},
	{From: order.Revoked, On: order.Inform, To: order.Revoked}:       {scenario: "a key born at pick-up, twice"},
}

// applicationFor is an order for an address, with the agreement that is in force.
func applicationFor(t testing.TB, address string) workflow.Application {
	a, err := newApplication(address)
	if err != nil {
		if t == nil {
			panic(err)
		}
		t.Fatal(err)
	}
	return a
}

func newApplication(address string) (workflow.Application, error) {
	m, err := mailbox.Parse(address)
	if err != nil {
		return workflow.Application{}, err
	}
	book, err := agreement.Open()
	if err != nil {
		return workflow.Application{}, err
	}
	text := book.In("en")
	return workflow.Application{Mailbox: m, Language: "en", Agreement: text.Version, AgreementSHA256: text.SHA256, By: audit.Actor{Kind: audit.Applicant}}, nil
}

func (a *actor) submit(ctx context.Context, request []byte) (order.Order, error) {
	in, err := newApplication(killAddress)
	if err != nil {
		return order.Order{}, err
	}
	in.Request = request
	return a.Conductor.Submit(ctx, in)
}

func (a *actor) upToApproved(ctx context.Context, request []byte) (order.Order, order.Secret, error) {
	o, err := a.submit(ctx, request)
	if err != nil {
		return o, "", err
	}
	text, err := a.letter(ctx, "/confirm/")
	if err != nil {
		return o, "", err
	}
	done, err := a.Conductor.Confirm(ctx, order.Secret(secretOf(text.link("/confirm/"))), false, audit.Actor{Kind: audit.Applicant})
	return done.Order, done.Pickup, err
}

// letter waits for the newest mail in the outbox with a link of that path.
func (a *actor) letter(ctx context.Context, path string) (letter, error) {
	for range 500 {
		files, err := filepath.Glob(filepath.Join(a.config.Data, "outbox", "*.eml"))
		if err != nil {
			return letter{}, err
		}
		var found letter
		var newest time.Time
		for _, f := range files {
			l, err := parseLetter(f)
			if err != nil {
				return letter{}, err
			}
			if info, err := os.Stat(f); err == nil && l.link(path) != "" && info.ModTime().After(newest) {
				found, newest = l, info.ModTime()
			}
		}
		if found.ID != "" {
			return found, nil
		}
		select {
		case <-ctx.Done():
			return letter{}, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return letter{}, fmt.Errorf("no mail with a link to %s came", path)
}

// settled waits until every mail of a kind about an order has left.
func (a *actor) settled(ctx context.Context, id order.ID, k notify.Kind) error {
	for range 500 {
		list, err := a.Store.Mails(ctx, notify.Filter{Order: string(id), Kind: k, Limit: 100})
		if err != nil {
			return err
		}
		open := len(list) == 0
		for _, m := range list {
			open = open || m.State == notify.Queued || m.State == notify.Sending
		}
		if !open {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("the mail %q did not leave", k)
}

// child is the killed process. It ends by SIGKILL, or with a word about what went wrong.
func child() int {
	var p childPlan
	raw, err := os.ReadFile(os.Getenv(childEnv))
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		fmt.Println("the child has no plan:", err)
		return 1
	}
	p.Config.Database.DSN = config.Secret(p.DSN)
	if err := p.run(context.Background()); err != nil {
		fmt.Println("the scenario failed:", err)
		return 1
	}
	fmt.Println("the scenario came to its end; the row was never reached")
	return 1
}

func (p childPlan) run(ctx context.Context) error {
	clock := &testClock{}
	log := slog.New(slog.NewTextHandler(os.Stdout, nil))
	h, err := app.Open(ctx, p.Config, app.Options{Log: log, Clock: clock.now, Around: func(l workflow.Ledger) workflow.Ledger { return &killer{l, p} }})
	if err != nil {
		return err
	}
	ready, done := make(chan struct{}), make(chan error, 1)
	go func() { done <- h.Run(ctx, func(app.Doors) { close(ready) }) }()
	select {
	case <-ready:
	case err := <-done:
		return err
	}
	return scenarios[p.Scenario](ctx, &actor{House: h, config: p.Config, clock: clock})
}

// runChild starts a child and makes sure that it died where it should.
func runChild(t *testing.T, p childPlan) {
	t.Helper()
	p.DSN = p.Config.Database.DSN.Reveal()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+file)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Fatalf("the child was not killed at %v: %v\n%s", p.Move, err, out)
	}
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts and kills the house many times")
	}
	for _, d := range databases {
		for _, move := range order.Path {
			c, ok := killCases[move]
			if !ok {
				t.Errorf("no kill case for the row %v of the path: add one", move)
				continue
			}
			for _, after := range []bool{false, true} {
				when := map[bool]string{false: "before", true: "after"}[after]
				t.Run(fmt.Sprintf("%s/%s %s, killed %s its commit", d, move.From, move.On, when), func(t *testing.T) {
					killAndRecover(t, d, move, c, after)
				})
			}
		}
	}
}

func killAndRecover(t *testing.T, d config.Driver, move order.Move, c killCase, after bool) {
	conf := newConfig(t, d)
	makeHouse(t, conf)
	seen := filepath.Join(t.TempDir(), "signed")
	if c.first.On != "" {
		runChild(t, childPlan{Config: conf, Move: c.first, Scenario: "a key born at pick-up, twice", Seen: seen})
		if d == config.PostgreSQL { // other nodes may be at work there, so an intent is left to its job
			waitForSettleJob(t, conf)
		}
	}
	runChild(t, childPlan{Config: conf, Move: move, After: after, Scenario: c.scenario, Seen: seen})

	h := start(t, conf)
	checkNothingSignedIsUnknown(t, h, seen)
	goOn(t, h)
	checkNothingSignedIsUnknown(t, h, seen)
	checkMails(t, h)
	h.proveAudit()
}

// checkNothingSignedIsUnknown looks at every serial number that was signed or meant to be: it is a certificate of the
// ledger, or counts as revoked.
func checkNothingSignedIsUnknown(t *testing.T, h *house, seen string) {
	t.Helper()
	within(t, 10*time.Second, "no intent is left open", func() bool {
		open, err := h.Store.OpenIntents(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if h.config.Database.Driver == config.PostgreSQL { // there a job settles it, after two minutes; here it is called at once
			if err := h.Conductor.SettleAll(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return len(open) == 0
	})
	raw, err := os.ReadFile(seen)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, serial := range strings.Fields(string(raw)) {
		s := issuance.Serial(serial)
		standing, err := h.Store.Standing(t.Context(), "issuing", s)
		if err != nil {
			t.Fatal(err)
		}
		if !standing.Known {
			t.Errorf("%s was signed, and the ledger does not know it", s)
		}
		_, err = h.Store.Certificate(t.Context(), s)
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		if err != nil && standing.Revocation == nil {
			t.Errorf("%s was signed, is no certificate of the ledger, and does not count as revoked", s)
		}
	}
}

// goOn leads the order that the crash left to its end, as its holder would.
func goOn(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	list, err := h.Store.Orders(ctx, order.Filter{Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 { // killed before anything was promised
		if _, err := h.Conductor.Submit(ctx, h.application(killAddress)); err != nil {
			t.Fatal(err)
		}
		list = must[[]order.Order](t)(h.Store.Orders(ctx, order.Filter{Limit: 10}))
	}
	if len(list) != 1 {
		t.Fatalf("there are %d orders, want the one", len(list))
	}
	a := &actor{House: h.House, config: h.config, clock: &testClock{}}
	id := list[0].ID
	for range 6 {
		o := must[order.Order](t)(h.Store.Order(ctx, id))
		switch o.State {
		case order.Confirming:
			l, err := a.letter(ctx, "/confirm/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Conductor.Confirm(ctx, order.Secret(secretOf(l.link("/confirm/"))), false, audit.Actor{Kind: audit.Applicant}); err != nil {
				t.Fatalf("confirming after the crash: %v", err)
			}
		case order.Approved:
			if err := h.Conductor.AskPickup(ctx, id, audit.Actor{Kind: audit.Applicant}); err != nil {
				t.Fatal(err)
			}
			if err := a.settled(ctx, id, workflow.MailPickup); err != nil {
				t.Fatal(err)
			}
			l, err := a.letter(ctx, "/pickup/")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.Conductor.PickUp(ctx, order.Secret(secretOf(l.link("/pickup/"))), bornChoice(false)); err != nil && !fault.Is(err, fault.Refused) {
				t.Fatalf("picking up after the crash: %v", err)
			}
		case order.Issued:
			if err := h.Conductor.Receive(ctx, id, audit.Actor{Kind: audit.Applicant}); err != nil {
				t.Fatal(err)
			}
		case order.Delivered, order.Cancelled, order.Revoked:
			return
		case order.Refused:
			if len(o.Reasons) == 0 {
				t.Error("the order was refused without a reason")
			}
			return
		default:
			t.Fatalf("after the crash the order stays %s", o.State)
		}
	}
	t.Fatal("after the crash the order does not come to its end")
}

// checkMails looks whether a mail came twice: each file of the outbox is one mail of the ledger, every mail of the
// ledger has come to an end, and there is one of each kind for each time that it was asked for.
func checkMails(t *testing.T, h *house) {
	t.Helper()
	ctx := t.Context()
	var mails []notify.Mail
	within(t, 15*time.Second, "every mail that is due has left", func() bool {
		mails = must[[]notify.Mail](t)(h.Store.Mails(ctx, notify.Filter{Limit: 100}))
		for _, m := range mails {
			if (m.State == notify.Queued || m.State == notify.Sending) && m.Kind != workflow.MailReady { // that one waits ten minutes
				return false
			}
		}
		return true
	})
	known := map[string]notify.Mail{}
	perKind := map[notify.Kind]int{}
	for _, m := range mails {
		known[m.ID] = m
		if m.State == notify.Failed {
			t.Errorf("the mail %s failed: %s", m.Kind, m.LastError)
		}
		perKind[m.Kind]++
	}
	for _, l := range h.letters() {
		if _, ok := known[l.ID]; !ok {
			t.Errorf("the outbox has a mail that the ledger does not know: %s", l.ID)
		}
	}
	if n := perKind[workflow.MailConfirm]; n != 1 {
		t.Errorf("%d confirmation mails were written, want 1", n)
	}
	asked := 0
	for e, err := range h.Store.AuditLog(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == "order.ask-pickup" {
			asked++
		}
	}
	if n := perKind[workflow.MailPickup]; n != asked {
		t.Errorf("%d pick-up links were mailed, but %d were asked for", n, asked)
	}
}

// waitForSettleJob checks that the left intent is there; the child that settles it calls SettleAll as its job would.
func waitForSettleJob(t *testing.T, c config.Config) {
	t.Helper()
	h, err := app.Open(t.Context(), c, app.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	open, err := h.Store.OpenIntents(t.Context())
	if err != nil || len(open) != 1 {
		t.Fatalf("the crash left %d intents, want 1: %v", len(open), err)
	}
}
