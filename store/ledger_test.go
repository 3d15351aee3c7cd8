package store

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chancery.example/approval"
	"chancery.example/audit"
	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/fault"
	"chancery.example/jobs"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
)

var ledgerCases = map[string]func(*testing.T, Config){
	"a step comes back as it was stored":                          stepComesBack,
	"an order changed from an older version is refused":           olderVersion,
	"a refused step leaves nothing":                               refusedStep,
	"a link is used once, and only by its order":                  linkOnce,
	"a serial number is never seen twice":                         serialOnce,
	"a certificate closes an open intent, once":                   intentClosesOnce,
	"the house's own certificates come in batches":                houseBatch,
	"revocations are numbered by issuer, and the first one stays": revocationsNumbered,
	"revocation lists are numbered without gaps":                  listsNumbered,
	"a mail changes":                 mailChanges,
	"settings are kept and replaced": settingsKept,
	"text that no database takes is made storable, and the chain holds":   strangeText,
	"what is not there is not found":                                      notFound,
	"jobs that River would refuse are refused before anything is written": badJobs,
}

func stepComesBack(t *testing.T, c Config) {
	s := open(t, c)
	o := newOrder(t, "Älice@bücher.example")
	o.Request, o.Renews = []byte{1, 2, 3}, "0badc0de"
	o.Reasons = []approval.Reason{{Code: "x", Text: "y", Rule: "SBR 1"}}
	o.ApprovedAt, o.DeliveredAt = noon.Add(time.Hour), noon.Add(2*time.Hour)
	link, secret := order.NewLink(o.ID, order.ToConfirm, "mail_1", noon, time.Hour)
	evidence := approval.Evidence{ID: "evd_1", Claim: o.Claims()[0], Method: approval.MailboxByEmail, Rule: "SBR 3.2.2.2 (1.0.9)",
		At: noon, Origin: string(o.ID), Detail: map[string]string{"mail": "mail_1"}}
	mail := mailTo(t, "alice@example.com")
	mail.Order, mail.Serial, mail.LastError, mail.Attempts, mail.SentAt = string(o.ID), "ab", "no route", 3, noon
	intent := intentOf(o)
	e := entry(o, "order.submit")
	commit(t, s, workflow.Step{Order: o, Links: []order.Link{link}, Evidence: []approval.Evidence{evidence}, Intent: &intent,
		Mails: []notify.Mail{mail}, Jobs: []jobs.Job{jobs.New("mail.send", 1)}, Audit: []audit.Entry{e}})

	equal := func(what string, got, want any, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		} else if d := cmp.Diff(want, got, cmp.Comparer(func(a, b mailbox.Address) bool { return a == b })); d != "" {
			t.Errorf("%s (-stored +read):\n%s", what, d)
		}
	}
	want := o
	want.Version = 1
	got, err := s.Order(t.Context(), o.ID)
	equal("order", got, want, err)
	gotLink, err := s.Link(t.Context(), secret.Hash())
	equal("link", gotLink, link, err)
	gotEvidence, err := s.Evidence(t.Context(), append(o.Claims(), approval.Claim{Kind: approval.Mailbox, Value: "nobody@example.com"}))
	equal("evidence", gotEvidence, []approval.Evidence{evidence}, err)
	gotMail, err := s.Mail(t.Context(), mail.ID)
	equal("mail", gotMail, mail, err)
	gotIntent, err := s.Intent(t.Context(), intent.Serial)
	equal("intent", gotIntent, intent, err)
	open, err := s.OpenIntents(t.Context())
	equal("open intents", open, []issuance.Intent{intent}, err)
	if n := jobRows(t, s); n != 1 {
		t.Errorf("%d jobs stored, want 1", n)
	}
	entries, err := s.AuditEntries(t.Context(), audit.Filter{Limit: 10})
	equal("audit", entries, []audit.Entry{audit.Link(audit.Entry{}, e)}, err)

	certificate := signed(intent, noon.Add(365*day))
	want.State = order.Issued
	commit(t, s, workflow.Step{Order: want, Issued: &certificate})
	gotCertificate, err := s.Certificate(t.Context(), intent.Serial)
	equal("certificate", gotCertificate, certificate, err)
	intent.State = issuance.Done
	gotIntent, err = s.Intent(t.Context(), intent.Serial)
	equal("the intent of a certificate", gotIntent, intent, err)
}

func olderVersion(t *testing.T, c Config) {
	s := open(t, c)
	o := submitted(t, s, "alice@example.com")
	o.State = order.Proved
	outcome := make(chan error)
	for range 2 {
		go func() { outcome <- s.Commit(t.Context(), workflow.Step{Order: o}) }()
	}
	errs := []error{<-outcome, <-outcome}
	slices.SortFunc(errs, func(a, b error) int {
		if a == nil {
			return -1
		}
		return 1
	})
	if errs[0] != nil || !fault.Is(errs[1], fault.Conflict) || fault.CodeOf(errs[1]) != "order.changed" {
		t.Errorf("two commits from one version give %v, want one to win and the other to be told of the conflict", errs)
	}
	if got := reread(t, s, o.ID); got.Version != 2 || got.State != order.Proved {
		t.Errorf("the order has version %d, state %s", got.Version, got.State)
	}
	again := o
	again.Version = 0
	if err := s.Commit(t.Context(), workflow.Step{Order: again}); fault.CodeOf(err) != "order.changed" {
		t.Errorf("a new order under a known ID gives %v", err)
	}
}

func refusedStep(t *testing.T, c Config) {
	s := open(t, c)
	o := submitted(t, s, "alice@example.com")
	before := verified(t, s)
	intent := intentOf(o)
	unknown := status.Revocation{Serial: issuance.NewSerial(), Issuer: "issuing", At: noon}
	link, secret := order.NewLink(o.ID, order.ToStatus, "", noon, time.Hour)
	mail := mailTo(t, "alice@example.com")
	o.State = order.Issuing
	step := workflow.Step{Order: o, Intent: &intent, Links: []order.Link{link}, Revoked: []status.Revocation{unknown}, Mails: []notify.Mail{mail},
		Jobs: []jobs.Job{jobs.New("mail.send", 1)}, Audit: []audit.Entry{entry(o, "order.prepare")}}
	// Once alone, and once among others: the two ways of undoing.
	others := make(chan error, 20)
	for i := range cap(others) / 2 {
		go func() { others <- s.AppendAudit(t.Context(), entry(o, "test.other")) }()
		go func() {
			if i == 0 {
				if err := s.Commit(t.Context(), step); fault.CodeOf(err) != "serial.unknown" {
					t.Errorf("a step that revokes an unknown serial number gives %v", err)
				}
			}
			others <- s.AppendAudit(t.Context(), entry(o, "test.other"))
		}()
	}
	for range cap(others) {
		if err := <-others; err != nil {
			t.Error(err)
		}
	}
	if err := s.Commit(t.Context(), step); fault.CodeOf(err) != "serial.unknown" {
		t.Errorf("a step that revokes an unknown serial number gives %v", err)
	}
	if got := reread(t, s, o.ID); got.State != order.Confirming || got.Version != 1 {
		t.Errorf("the order moved to %s, version %d", got.State, got.Version)
	}
	_, err1 := s.Intent(t.Context(), intent.Serial)
	_, err2 := s.Link(t.Context(), secret.Hash())
	_, err3 := s.Mail(t.Context(), mail.ID)
	for i, err := range []error{err1, err2, err3} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("row %d of the refused step is there: %v", i, err)
		}
	}
	if n := jobRows(t, s); n != 0 {
		t.Errorf("%d jobs of the refused step are there", n)
	}
	if after := verified(t, s); after != before+int64(cap(others)) {
		t.Errorf("the log has %d entries, want %d", after, before+int64(cap(others)))
	}
}

func linkOnce(t *testing.T, c Config) {
	s := open(t, c)
	o, other := newOrder(t, "alice@example.com"), submitted(t, s, "bob@example.com")
	link, _ := order.NewLink(o.ID, order.ToConfirm, "", noon, time.Hour)
	commit(t, s, workflow.Step{Order: o, Links: []order.Link{link}})
	o = reread(t, s, o.ID)
	if err := s.Commit(t.Context(), workflow.Step{Order: other, Used: &link.Hash}); fault.CodeOf(err) != "link.used" {
		t.Errorf("the link of another order gives %v", err)
	}
	commit(t, s, workflow.Step{Order: o, Used: &link.Hash, Audit: []audit.Entry{entry(o, "order.confirm")}})
	got, err := s.Link(t.Context(), link.Hash)
	if err != nil || !got.UsedAt.Equal(noon) {
		t.Errorf("the link was used at %v (%v), want %v", got.UsedAt, err, noon)
	}
	err = s.Commit(t.Context(), workflow.Step{Order: reread(t, s, o.ID), Used: &link.Hash})
	if !fault.Is(err, fault.Gone) || fault.CodeOf(err) != "link.used" {
		t.Errorf("a link used twice gives %v", err)
	}
}

func serialOnce(t *testing.T, c Config) {
	s := open(t, c)
	o, certificate := issued(t, s, "alice@example.com", noon.Add(day))
	again := intentOf(o)
	again.Serial = certificate.Serial
	err := s.Commit(t.Context(), workflow.Step{Order: o, Intent: &again})
	if !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "serial.known" {
		t.Errorf("the serial number of a certificate gives %v", err)
	}
	err = s.CommitBatch(t.Context(), issuance.Batch{Intents: []issuance.Intent{again}})
	if fault.CodeOf(err) != "serial.known" {
		t.Errorf("the serial number of a certificate gives %v in a batch", err)
	}
	fresh := intentOf(o)
	commit(t, s, workflow.Step{Order: o, Intent: &fresh})
	o = reread(t, s, o.ID)
	commit(t, s, workflow.Step{Order: o, Abandoned: fresh.Serial})
	o = reread(t, s, o.ID)
	if err := s.Commit(t.Context(), workflow.Step{Order: o, Intent: &fresh}); fault.CodeOf(err) != "serial.known" {
		t.Errorf("the serial number of an abandoned intent gives %v", err)
	}
}

func intentClosesOnce(t *testing.T, c Config) {
	s := open(t, c)
	o, certificate := issued(t, s, "alice@example.com", noon.Add(day))
	closed := func(what string, st workflow.Step) {
		t.Helper()
		st.Order = reread(t, s, o.ID)
		if err := s.Commit(t.Context(), st); !fault.Is(err, fault.Conflict) || fault.CodeOf(err) != "intent.closed" {
			t.Errorf("%s: %v", what, err)
		}
	}
	closed("a second certificate", workflow.Step{Issued: &certificate})
	closed("abandoning what was issued", workflow.Step{Abandoned: certificate.Serial})
	stray := signed(intentOf(o), noon)
	closed("a certificate without an intent", workflow.Step{Issued: &stray})
	i := intentOf(o)
	commit(t, s, workflow.Step{Order: reread(t, s, o.ID), Intent: &i})
	foreign := signed(i, noon)
	foreign.Issuer = "root"
	closed("a certificate of another issuer", workflow.Step{Issued: &foreign})
	commit(t, s, workflow.Step{Order: reread(t, s, o.ID), Abandoned: i.Serial,
		Revoked: []status.Revocation{{Serial: i.Serial, Issuer: "issuing", At: noon, Reason: status.CessationOfOperation, NotAfter: noon.Add(day)}}})
	late := signed(i, noon)
	closed("a certificate for an abandoned intent", workflow.Step{Issued: &late})
	got, err := s.Standing(t.Context(), "issuing", i.Serial)
	if err != nil || !got.Known || got.Revocation == nil || got.Revocation.N != 1 {
		t.Errorf("the abandoned serial number stands as %+v, %v; want revoked", got, err)
	}
	abandoned, err := s.Intent(t.Context(), i.Serial)
	if err != nil || abandoned.State != issuance.Abandoned || !bytes.Equal(abandoned.TBS, i.TBS) {
		t.Errorf("the abandoned intent reads as %+v, %v", abandoned, err)
	}
}

func houseBatch(t *testing.T, c Config) {
	s := open(t, c)
	root, issuing := intentOf(order.Order{}), intentOf(order.Order{})
	root.Order, root.Issuer, issuing.Order, issuing.Issuer = "", "root", "", "root"
	if err := s.CommitBatch(t.Context(), issuance.Batch{Intents: []issuance.Intent{root, issuing}}, entry(order.Order{}, "house.intend")); err != nil {
		t.Fatal(err)
	}
	a, b := signed(root, noon.Add(day)), signed(issuing, noon.Add(day))
	stray := signed(intentOf(order.Order{}), noon)
	if err := s.CommitBatch(t.Context(), issuance.Batch{Certificates: []issuance.Certificate{a, stray}}); fault.CodeOf(err) != "intent.closed" {
		t.Errorf("a batch with a stray certificate gives %v", err)
	}
	if _, err := s.Certificate(t.Context(), a.Serial); !fault.Is(err, fault.NotFound) {
		t.Errorf("the good half of a refused batch is there: %v", err)
	}
	if err := s.CommitBatch(t.Context(), issuance.Batch{Certificates: []issuance.Certificate{a, b}}); err != nil {
		t.Fatal(err)
	}
	house, err := s.Certificates(t.Context(), issuance.Filter{House: true, Limit: 10})
	if err != nil || len(house) != 2 || house[0].Serial != b.Serial {
		t.Errorf("the house has %v, %v", house, err)
	}
	if others, err := s.Certificates(t.Context(), issuance.Filter{Limit: 10}); err != nil || len(others) != 0 {
		t.Errorf("the house's own certificates are among the subscribers': %v, %v", others, err)
	}
}

func revocationsNumbered(t *testing.T, c Config) {
	s := open(t, c)
	var all []status.Revocation
	for i := range 5 {
		_, certificate := issued(t, s, nth(i), noon.Add(time.Duration(i)*day))
		all = append(all, status.Revocation{N: int64(i + 1), Serial: certificate.Serial, Issuer: "issuing", At: noon, Reason: status.Superseded,
			By: alice.String(), NotAfter: certificate.NotAfter})
	}
	if err := s.CommitRevocations(t.Context(), status.Change{Revocations: all[:2]}); err != nil {
		t.Fatal(err)
	}
	repeated := all[1]
	repeated.Reason, repeated.At = status.KeyCompromise, noon.Add(time.Hour)
	if err := s.CommitRevocations(t.Context(), status.Change{Revocations: append([]status.Revocation{repeated}, all[2:]...)}); err != nil {
		t.Fatal(err)
	}
	read := func(after int64, notBefore time.Time) (out []status.Revocation) {
		t.Helper()
		err := s.Revocations(t.Context(), "issuing", after, notBefore, func(r status.Revocation) error { out = append(out, r); return nil })
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if d := cmp.Diff(all, read(0, time.Time{})); d != "" {
		t.Errorf("all revocations (-want +got):\n%s", d)
	}
	if d := cmp.Diff(all[3:], read(2, noon.Add(2*day))); d != "" {
		t.Errorf("those after number 2 whose certificates end after the third's (-want +got):\n%s", d)
	}
	enough := errors.New("enough")
	if err := s.Revocations(t.Context(), "issuing", 0, time.Time{}, func(status.Revocation) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the reader's error does not come back: %v", err)
	}
	if n, err := s.LastRevocation(t.Context(), "issuing"); n != 5 || err != nil {
		t.Errorf("the last revocation is %d, %v", n, err)
	}
	if n, err := s.LastRevocation(t.Context(), "root"); n != 0 || err != nil {
		t.Errorf("the last revocation of another issuer is %d, %v", n, err)
	}
	got, err := s.Standing(t.Context(), "issuing", all[1].Serial)
	if d := cmp.Diff(status.Standing{Known: true, Revocation: &all[1]}, got); d != "" || err != nil {
		t.Errorf("standing (-want +got):\n%s %v", d, err)
	}
	if got, err := s.Standing(t.Context(), "root", all[1].Serial); got.Known || err != nil {
		t.Errorf("under another issuer it stands as %+v, %v", got, err)
	}
	_, good := issued(t, s, "good@example.com", noon.Add(day))
	if got, err := s.Standing(t.Context(), "issuing", good.Serial); !got.Known || got.Revocation != nil || err != nil {
		t.Errorf("a good certificate stands as %+v, %v", got, err)
	}
}

func listsNumbered(t *testing.T, c Config) {
	s := open(t, c)
	if _, err := s.LastCRL(t.Context(), "issuing"); fault.CodeOf(err) != "crl.none" {
		t.Errorf("without a list: %v", err)
	}
	var last status.CRL
	for i := range int64(6) {
		last = status.CRL{Issuer: "issuing", Number: i + 1, Upto: 10 * i, DER: []byte{byte(i)}, ThisUpdate: noon, NextUpdate: noon.Add(day)}
		if err := s.CommitCRL(t.Context(), last, entry(order.Order{}, "crl.sign")); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []int64{0, 6, 8} {
		last.Number = n
		if err := s.CommitCRL(t.Context(), last); !fault.Is(err, fault.Conflict) {
			t.Errorf("number %d after 6 gives %v", n, err)
		}
	}
	last.Number = 6
	got, err := s.LastCRL(t.Context(), "issuing")
	if d := cmp.Diff(last, got); d != "" || err != nil {
		t.Errorf("the last list (-want +got):\n%s %v", d, err)
	}
	var kept int
	if err := s.read.QueryRow(`SELECT count(*) FROM crls WHERE length(der) > 0`).Scan(&kept); err != nil || kept != keptCRLs {
		t.Errorf("%d lists keep their bytes (%v), want %d", kept, err, keptCRLs)
	}
	if n := verified(t, s); n != 6 {
		t.Errorf("%d entries, want one a list", n)
	}
}

func mailChanges(t *testing.T, c Config) {
	s := open(t, c)
	m := mailTo(t, "alice@example.com")
	if err := s.CommitMail(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.State, m.Attempts, m.SentAt = notify.Sent, 2, noon.Add(time.Minute)
	if err := s.CommitMail(t.Context(), m, entry(order.Order{}, "mail.sent")); err != nil {
		t.Fatal(err)
	}
	got, err := s.Mail(t.Context(), m.ID)
	if got != m || err != nil {
		t.Errorf("the mail reads as %+v, %v; want %+v", got, err, m)
	}
}

func settingsKept(t *testing.T, c Config) {
	s := open(t, c)
	if _, err := s.Setting(t.Context(), "house.id"); !fault.Is(err, fault.NotFound) {
		t.Errorf("no setting gives %v", err)
	}
	for _, v := range []string{"one", "two"} {
		if err := s.SetSetting(t.Context(), "house.id", v, entry(order.Order{}, "house.set")); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Setting(t.Context(), "house.id"); got != v || err != nil {
			t.Errorf("reads as %q, %v; want %q", got, err, v)
		}
	}
}

func strangeText(t *testing.T, c Config) {
	s := open(t, c)
	detail := map[string]string{"nul\x00": "a\x00b", "bad": "\xff\xfe", "quote": `'";--<&>`, "line": "\u2028"}
	for range 2 {
		e := audit.New(noon, audit.Actor{Kind: audit.Applicant, ID: "\xc3("}, "test.strange", "x/\x00", detail)
		if err := s.AppendAudit(t.Context(), e, audit.New(noon, alice, "test.plain", "", map[string]string{})); err != nil {
			t.Fatal(err)
		}
	}
	if n := verified(t, s); n != 4 {
		t.Errorf("%d entries", n)
	}
	for _, search := range []string{"\x00", "%", "_", `\`, "'", "\xff"} {
		if _, err := s.Orders(t.Context(), order.Filter{Text: search, Limit: 10}); err != nil {
			t.Errorf("a search for %q: %v", search, err)
		}
	}
	if _, err := s.Order(t.Context(), "ord_\x00\xff"); !fault.Is(err, fault.NotFound) {
		t.Errorf("an ID that is no text: %v", err)
	}
}

func notFound(t *testing.T, c Config) {
	s := open(t, c)
	ctx := t.Context()
	_, err1 := s.Order(ctx, "ord_none")
	_, err2 := s.Link(ctx, order.SecretHash{})
	_, err3 := s.Mail(ctx, "mail_none")
	_, err4 := s.Certificate(ctx, "00")
	_, err5 := s.Intent(ctx, "00")
	for i, err := range []error{err1, err2, err3, err4, err5} {
		if !fault.Is(err, fault.NotFound) {
			t.Errorf("look-up %d gives %v", i, err)
		}
	}
	o := submitted(t, s, "alice@example.com")
	i := intentOf(o)
	commit(t, s, workflow.Step{Order: o, Intent: &i})
	if _, err := s.Certificate(ctx, i.Serial); !fault.Is(err, fault.NotFound) {
		t.Errorf("an intent is no certificate: %v", err)
	}
	if got, err := s.Standing(ctx, "issuing", "77"); got.Known || err != nil {
		t.Errorf("an unknown serial number stands as %+v, %v", got, err)
	}
}

func badJobs(t *testing.T, c Config) {
	s := open(t, c)
	for _, j := range []jobs.Job{{Kind: "", Args: []byte("1")}, {Kind: "Has Space", Args: []byte("1")}, {Kind: "mail.send", Args: []byte("{")}} {
		if err := s.EnqueueJobs(t.Context(), j); err == nil {
			t.Errorf("a job %q with arguments %q was taken", j.Kind, j.Args)
		}
	}
	if err := s.EnqueueJobs(t.Context(), jobs.Job{Kind: "no.args"}); err != nil {
		t.Errorf("a job without arguments: %v", err)
	}
}
