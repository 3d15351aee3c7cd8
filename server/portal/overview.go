package portal

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"chancery.example/ca/issuance"
	"chancery.example/ca/status"
	"chancery.example/lifecycle"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/server/access"
)

// notice is something that wants attention: a sentence, and where it is put right.
type notice struct {
	Bad  bool // something does not work; otherwise something could be better
	Say  template.HTML
	Link string // may be empty
	Go   template.HTML
}

// overviewData is the page that says in five seconds whether anything needs the reader.
type overviewData struct {
	Census          lifecycle.Census
	Notices         []notice
	Bad             bool
	Open            int // orders on which somebody must still act
	Weeks           chart
	Issued, Revoked chart
	Soon            int // certificates that end within four weeks
	Lists           []status.ListState
	First           bool // nothing was ever ordered: the page offers the first step
	MayOutbox       bool
}

func (p *Portal) overview(w http.ResponseWriter, r *http.Request) error {
	now := p.Clock()
	census, err := p.Ledger.Census(r.Context(), now)
	if err != nil {
		return err
	}
	v := p.page(r, "")
	d := overviewData{Census: census, Lists: p.Authority.Lists(), MayOutbox: p.may(r, access.OutboxRead)}
	d.Notices = p.notices(r, v.Lang, census)
	for _, n := range d.Notices {
		d.Bad = d.Bad || n.Bad
	}
	for _, s := range []order.State{order.Confirming, order.Proved, order.Approved, order.Issuing, order.Issued} {
		d.Open += census.Orders[s]
	}
	total := 0
	for _, n := range census.Orders {
		total += n
	}
	d.First = total == 0 && census.Valid+census.Revoked+census.Ended == 0
	for _, n := range census.Expiring[:4] {
		d.Soon += n
	}
	d.Weeks = barChart(census.Expiring[:], func(i int) template.HTML { return day(v.Lang, now.AddDate(0, 0, 7*i)) })
	byDay := func(i int) template.HTML { return day(v.Lang, now.AddDate(0, 0, i-29)) }
	d.Issued, d.Revoked = barChart(census.IssuedByDay[:], byDay), barChart(census.RevokedByDay[:], byDay)
	v.Wide, v.Data = true, d
	v.Calls = []call{p.get("call.census", "/api/v1/overview", "")}
	return p.render(w, r, http.StatusOK, "overview", v)
}

// notices gathers what is not well, the worst first.
func (p *Portal) notices(r *http.Request, lang string, c lifecycle.Census) []notice {
	w := p.words[lang]
	var bad, better []notice
	house, outbox := p.House(), p.may(r, access.OutboxRead)
	if c.MailsFailed > 0 {
		n := notice{Bad: true, Say: w.count("notice.mails-failed", c.MailsFailed)}
		if outbox {
			n.Link, n.Go = "/admin/outbox?state=failed", w.html("notice.mails-failed.go")
		}
		bad = append(bad, n)
	}
	if c.MailsWaiting > 0 {
		if n, ok := p.stuck(r, w, c.MailsWaiting); ok {
			if outbox {
				n.Link, n.Go = "/admin/outbox?state=queued", w.html("notice.mails-failed.go")
			}
			bad = append(bad, n)
		}
	}
	if c.JobsFailed > 0 {
		bad = append(bad, notice{Bad: true, Say: w.count("notice.jobs-failed", c.JobsFailed)})
	}
	for _, l := range p.Authority.Lists() {
		if l.Problem != "" {
			bad = append(bad, notice{Bad: true, Say: w.html("notice.list", "Issuer", l.Issuer, "Problem", w.problem(l)), Link: "/admin/ca", Go: w.html("notice.list.go")})
		}
	}
	bad = append(bad, p.ending(w)...)
	if house.PublicIsLocal {
		better = append(better, notice{Say: w.html("notice.public-local", "Public", code(house.Public))})
	}
	if house.MailServer == "" {
		n := notice{Say: w.html("notice.outbox")}
		if outbox {
			n.Link, n.Go = "/admin/outbox", w.html("notice.outbox.go")
		}
		better = append(better, n)
	}
	if house.KeyWarning != "" {
		better = append(better, notice{Say: w.html("notice.key", "Warning", house.KeyWarning)})
	}
	return append(bad, better...)
}

// stuck says why mails wait, when a try to send one of them failed.
func (p *Portal) stuck(r *http.Request, w words, waiting int) (notice, bool) {
	for _, s := range []notify.State{notify.Queued, notify.Sending} {
		list, err := p.Ledger.Mails(r.Context(), notify.Filter{State: s, Limit: 50})
		if err != nil {
			p.Log.WarnContext(r.Context(), "portal: the waiting mails cannot be read", "err", err)
		}
		for _, m := range list {
			if lagging(m) {
				return notice{Bad: true, Say: w.count("notice.mails-stuck", waiting, "Error", strings.TrimRight(m.LastError, ". "))}, true
			}
		}
	}
	return notice{}, false
}

// houseEndsSoon is how long before the end of a certificate of the house the overview speaks up.
const houseEndsSoon = 60 * 24 * time.Hour

// ending warns of certificates of the house that end soon. A responder's is short-lived by design and renewed by the house.
func (p *Portal) ending(w words) []notice {
	var out []notice
	for _, i := range p.Authority.Issuers() {
		if left := i.Certificate.NotAfter.Sub(p.Clock()); left < houseEndsSoon {
			out = append(out, notice{Bad: true, Say: w.html("notice.ca-ends", "Issuer", i.Name, "Span", w.span(left)), Link: "/admin/ca", Go: w.html("notice.list.go")})
		}
	}
	return out
}

// authority is one of the house's CAs as the pages show it.
type authority struct {
	Name, Subject, Algorithm string
	Serial, SHA256           string
	NotBefore, NotAfter      time.Time
	Root                     bool
	Key                      string // "here" or "away"; empty where that is not known
	Certificate, List        string // where they are fetched
	State                    status.ListState
	Responder                *issuance.Certificate
}

// house lists the CAs, the root first.
func (p *Portal) house() []authority {
	public := strings.TrimSuffix(p.House().Public, "/")
	states := map[string]status.ListState{}
	for _, s := range p.Authority.Lists() {
		states[s.Issuer] = s
	}
	var roots, rest []authority
	for _, i := range p.Authority.Issuers() {
		c := i.Certificate
		a := authority{Name: i.Name, Subject: c.Subject.String(), Algorithm: algorithmOf(c), Serial: string(issuance.SerialOf(c.SerialNumber)), SHA256: fingerprint(c.Raw),
			NotBefore: c.NotBefore, NotAfter: c.NotAfter, Root: string(c.RawSubject) == string(c.RawIssuer),
			Certificate: public + "/ca/" + i.Name + ".crt", List: public + "/crl/" + i.Name + ".crl", State: states[i.Name]}
		if offline := p.House().KeyOffline; offline != nil {
			a.Key = map[bool]string{false: "here", true: "away"}[offline(i.Name)]
		}
		if a.Root {
			roots = append(roots, a)
		} else {
			rest = append(rest, a)
		}
	}
	return append(roots, rest...)
}

// authorities is the public page with the CA certificates.
func (p *Portal) authorities(w http.ResponseWriter, r *http.Request) error {
	v := p.page(r, "")
	v.Data = p.house()
	return p.render(w, r, http.StatusOK, "authorities", v)
}

// caData is the staff's page about the CA.
type caData struct {
	Authorities []authority
	House       []issuance.Certificate
	OCSP        string
	Info        House
}

func (p *Portal) caPage(w http.ResponseWriter, r *http.Request) error {
	own, err := p.Ledger.Certificates(r.Context(), issuance.Filter{House: true, Limit: 50})
	if err != nil {
		return err
	}
	v := p.page(r, "")
	info := p.House()
	v.Wide, v.Data = true, caData{Authorities: p.house(), House: own, OCSP: strings.TrimSuffix(info.Public, "/") + "/ocsp", Info: info}
	v.Calls = []call{{What: "call.ca", HTTP: "curl -O '" + strings.TrimSuffix(info.Public, "/") + "/ca/issuing.crt'", Command: "chancery cert list --house"}}
	return p.render(w, r, http.StatusOK, "ca", v)
}
