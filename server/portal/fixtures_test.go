package portal

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/mailbox"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// The pages that a test cannot hold still, rendered from values: the moment between intent and signature, and
// sentences for orders that have ended in each way.
func TestPagesOfPassingMoments(t *testing.T) {
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	files, err := loadAssets(assetFiles)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	pages, err := loadPages(all, files, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	to, err := mailbox.Parse("alice@example.com")
	if err != nil {
		t.Fatal(err)
	}
	cert := &issuance.Certificate{Serial: issuance.NewSerial(), SHA256: strings.Repeat("ab", 32), NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0)}
	at := func(s order.State) workflow.Page {
		p := workflow.Page{Order: order.Order{ID: order.NewID(), Mailbox: to, CreatedAt: now}, State: s}
		if s == order.Issued || s == order.Delivered {
			p.Certificate = cert
		}
		return p
	}
	h := held{Page: at(order.Issuing), Secret: "abcdefghijklmnopqrstuvwxyz234567"}
	cases := map[string]any{
		"making":   pickupData{held: h, To: to.Unicode()},
		"disowned": confirmData{held: h, To: to.Unicode()},
		"codes":    []string{"abcd-efgh", "ijkl-mnop"},
		"totp":     totpData{TOTP: access.Enrolment{ID: "e", URI: "otpauth://totp/Chancery:alice?secret=JBSWY3DPEHPK3PXP&issuer=Chancery", Typed: "JBSW Y3DP"}},
	}
	states := []order.State{order.Confirming, order.Proved, order.Approved, order.Issuing, order.Issued, order.Delivered, order.Refused, order.Cancelled, order.Expired}
	for _, s := range states {
		f := following{Page: at(s), To: to.Unicode(), Steps: stepsOf(at(s), nil), Sent: now, Until: now.Add(time.Hour), May: map[string]bool{"inform": true, "cancel": true}}
		lag := f
		lag.MailLag, lag.Mails = true, []notify.Mail{{Kind: workflow.MailConfirm, State: notify.Queued, LastError: "connection refused"}}
		cases["status "+string(s)+" lag"], cases["order-staff "+string(s)+" lag"] = lag, lag
		cases["ended "+string(s)], cases["status "+string(s)], cases["order-staff "+string(s)] = f, f, f
	}
	for name, data := range cases {
		template, _, _ := strings.Cut(name, " ")
		said := map[string]string{}
		for lang := range all {
			var b bytes.Buffer
			if err := pages[lang][template].ExecuteTemplate(&b, "base", page{Lang: lang, Path: "/", Data: data}); err != nil {
				t.Errorf("%s in %s: %v", name, lang, err)
			}
			said[lang] = b.String()
			if i := strings.IndexRune(said[lang], '⟦'); i >= 0 {
				t.Errorf("%s in %s lacks a text: %.60s", name, lang, said[lang][i:])
			}
		}
		if said["en"] == said["de"] {
			t.Errorf("%s is the same in both languages", name)
		}
	}
}

func TestAQRCodeIsDrawnOfALink(t *testing.T) {
	if svg := string(qr("otpauth://totp/Chancery:alice?secret=JBSWY3DPEHPK3PXP&issuer=Chancery")); !strings.HasPrefix(svg, "<svg") || strings.Count(svg, "M") < 100 {
		t.Errorf("%.200s", svg)
	}
	if svg := qr("nonsense"); svg != "" {
		t.Errorf("nonsense is drawn: %.100s", svg)
	}
}

func TestCellsOfAnExportAreNoFormulas(t *testing.T) {
	for cell, want := range map[string]string{"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1": "'+1", "-1": "'-1", "@a": "'@a", "alice@example.com": "alice@example.com", "": ""} {
		if got := inert(cell); got != want {
			t.Errorf("%q becomes %q, want %q", cell, got, want)
		}
	}
}

func TestAMailOfTheHouseIsRead(t *testing.T) {
	for name, c := range map[string]struct{ raw, subject, text string }{
		"plain":          {"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello\r\n", "Grüße", "Hello\r\n"},
		"in two parts":   {"Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nH=C3=A4\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n", "a", "Hä"},
		"cut off":        {"Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b", "a", "Subject: a\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b"},
		"no mail at all": {"\x00", "", "\x00"},
	} {
		subject, _, text := readMail([]byte(c.raw))
		if subject != c.subject || text != c.text {
			t.Errorf("%s: %q, %q", name, subject, text)
		}
	}
}
