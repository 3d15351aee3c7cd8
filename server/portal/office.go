package portal

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/http"
	"net/mail"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"chancery.example/audit"
	"chancery.example/fault"
	"chancery.example/notify"
	"chancery.example/server/access"
)

// outboxData is the table of mails that the house wrote.
type outboxData struct {
	listing
	Mails  []notify.Mail
	States []string
	Server string
}

var mailStates = []string{string(notify.Queued), string(notify.Sending), string(notify.Sent), string(notify.Failed), string(notify.Dropped)}

func (p *Portal) outbox(w http.ResponseWriter, r *http.Request) error {
	l := readListing(r)
	read := func(after string, limit int) ([]notify.Mail, error) {
		return p.Ledger.Mails(r.Context(), notify.Filter{Text: l.Q, State: notify.State(l.State), After: after, Limit: limit})
	}
	key := func(m notify.Mail) string { return m.ID }
	if exporting(r) {
		list, err := all(read, key)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, m := range list {
			rows = append(rows, []string{m.ID, string(m.Kind), m.To.String(), string(m.State), strconv.Itoa(m.Attempts), m.LastError, m.Order, m.Serial, stamp(m.CreatedAt), stamp(m.SentAt)})
		}
		return export(w, r, "mails", []string{"id", "kind", "to", "state", "attempts", "last_error", "order", "serial", "created_at", "sent_at"}, rows)
	}
	list, err := read(l.After, pageRows+1)
	if err != nil {
		return err
	}
	d := outboxData{Mails: turn(&l, r, list, key), States: mailStates, Server: p.House().MailServer}
	d.listing = l
	v := p.page(r, "")
	v.Wide, v.Live, v.Data = true, true, d
	v.Calls = p.listCalls("call.mails", "/api/v1/mails", "", l)
	return p.render(w, r, http.StatusOK, "outbox", v)
}

// mailData is one mail, read.
type mailData struct {
	notify.Mail
	Subject, From, Text string
	Links               []mailLink
	Kept                bool // the local outbox has it
	Raw                 string
}

func (p *Portal) outboxMail(w http.ResponseWriter, r *http.Request) error {
	m, err := p.Ledger.Mail(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	d := mailData{Mail: m}
	raw, err := p.Outbox.Read(m.ID)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		d.Kept, d.Raw = true, string(raw)
		if r.URL.Query().Get("format") == "eml" {
			return attach(w, m.ID+".eml", "message/rfc822", raw)
		}
		d.Subject, d.From, d.Text = readMail(raw)
		d.Links = linksOf(d.Text, p.House().Origin)
	}
	v := p.page(r, "")
	v.Wide, v.Data = true, d
	return p.render(w, r, http.StatusOK, "mail", v)
}

// readMail takes the plain text out of a mail that the house itself wrote. What it cannot read it shows as it is.
func readMail(raw []byte) (subject, from, text string) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return "", "", string(raw)
	}
	var words mime.WordDecoder
	subject, _ = words.DecodeHeader(msg.Header.Get("Subject"))
	from, _ = words.DecodeHeader(msg.Header.Get("From"))
	text, err = plainText(msg.Header.Get("Content-Type"), msg.Header.Get("Content-Transfer-Encoding"), msg.Body, 0)
	if err != nil {
		return subject, from, string(raw)
	}
	return subject, from, text
}

var errNoText = errors.New("no plain text")

const maxDepth = 4 // of multiparts in a mail of ours; two are usual

func plainText(contentType, encoding string, body io.Reader, depth int) (string, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		mediaType = "text/plain"
	}
	if strings.HasPrefix(mediaType, "multipart/") && depth < maxDepth {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return "", errNoText
			}
			if text, err := plainText(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth+1); err == nil {
				return text, nil
			}
		}
	}
	if mediaType != "text/plain" {
		return "", errNoText
	}
	if strings.EqualFold(encoding, "quoted-printable") {
		body = quotedprintable.NewReader(body)
	}
	data, err := io.ReadAll(io.LimitReader(body, 1<<20))
	return string(data), err
}

var urls = regexp.MustCompile(`https?://[^\s<>"]+`)

// mailLink is a link of a mail that leads into the portal.
type mailLink struct{ URL string }

// Key is of what the link is for.
func (l mailLink) Key() string {
	for _, to := range []string{"confirm", "pickup", "o"} {
		if strings.HasPrefix(l.URL, "/"+to+"/") {
			return "mail.link." + to
		}
	}
	return "mail.link.other"
}

// linksOf finds the links of a mail that lead into the portal, so that the first run needs no mail program.
func linksOf(text, origin string) []mailLink {
	var out []mailLink
	for _, u := range urls.FindAllString(text, 20) {
		if parsed, err := url.Parse(u); err == nil && strings.HasPrefix(u, origin+"/") {
			out = append(out, mailLink{URL: parsed.RequestURI()})
		}
	}
	return out
}

// auditData is the log.
type auditData struct {
	listing
	Entries []audit.Entry
	Names   map[string]string // of accounts, by the ID of an actor
	Proof   *audit.Proof
}

func (p *Portal) auditLog(w http.ResponseWriter, r *http.Request) error {
	return p.showAudit(w, r, nil)
}

func (p *Portal) showAudit(w http.ResponseWriter, r *http.Request, proof *audit.Proof) error {
	l := readListing(r)
	read := func(after string, limit int) ([]audit.Entry, error) {
		before, _ := strconv.ParseInt(after, 10, 64)
		return p.Ledger.AuditEntries(r.Context(), audit.Filter{Text: l.Q, Before: before, Limit: limit})
	}
	key := func(e audit.Entry) string { return strconv.FormatInt(e.Seq, 10) }
	if exporting(r) {
		list, err := all(read, key)
		if err != nil {
			return err
		}
		var rows [][]string
		for _, e := range list {
			rows = append(rows, []string{key(e), stamp(e.At), e.Actor.String(), e.Action, e.Subject, detailOf(e), e.Hash.String()})
		}
		return export(w, r, "audit", []string{"seq", "at", "actor", "action", "subject", "detail", "hash"}, rows)
	}
	list, err := read(l.After, pageRows+1)
	if err != nil {
		return err
	}
	d := auditData{Entries: turn(&l, r, list, key), Proof: proof}
	d.listing, d.Names = l, p.names(r, d.Entries)
	v := p.page(r, "")
	v.Wide, v.Live, v.Data = true, true, d
	v.Calls = append(p.listCalls("call.audit", "/api/v1/audit", "chancery audit list", l), p.get("call.audit.export", "/api/v1/audit/export", "chancery audit verify"))
	return p.render(w, r, http.StatusOK, "audit", v)
}

// auditProof reads the whole chain and says whether it holds.
func (p *Portal) auditProof(w http.ResponseWriter, r *http.Request) error {
	proof, err := p.Proof(r.Context())
	if err != nil {
		return err
	}
	return p.showAudit(w, r, &proof)
}

// detailOf is an entry's detail as one line, sorted by key.
func detailOf(e audit.Entry) string {
	var out []string
	for _, d := range details(e) {
		out = append(out, d[0]+"="+d[1])
	}
	return strings.Join(out, " ")
}

// accountsData is the table of accounts.
type accountsData struct {
	listing
	Accounts []access.Account
	Roles    []access.Role
	MayWrite bool
	// Link is a fresh invitation, shown once; For is whom it is for.
	Link, For           string
	Name, Email, Tongue string
	Chosen              map[string]bool
}

func (p *Portal) accounts(w http.ResponseWriter, r *http.Request) error {
	return p.showAccounts(w, r, http.StatusOK, accountsData{}, nil)
}

func (p *Portal) showAccounts(w http.ResponseWriter, r *http.Request, code int, d accountsData, errs []fieldError) error {
	l := readListing(r)
	list, err := p.Access.Accounts(r.Context(), access.AccountFilter{Text: l.Q, Role: access.Role(l.State), After: l.After, Limit: pageRows + 1})
	if err != nil {
		return err
	}
	d.Accounts = turn(&l, r, list, func(a access.Account) string { return a.Email })
	d.listing, d.Roles, d.MayWrite = l, access.AllRoles, p.may(r, access.AccountManage)
	v := p.page(r, "")
	v.Wide, v.Live, v.Data, v.Errors = true, true, d, errs
	return p.render(w, r, code, "accounts", v)
}

// invite makes an account and shows its link once: the administrator hands it over.
func (p *Portal) invite(w http.ResponseWriter, r *http.Request) error {
	d := accountsData{Name: strings.TrimSpace(r.PostFormValue("name")), Email: strings.TrimSpace(r.PostFormValue("email")), Tongue: r.PostFormValue("language"), Chosen: map[string]bool{}}
	for _, role := range r.PostForm["role"] {
		d.Chosen[role] = true
	}
	lang := p.page(r, "").Lang
	roles, err := access.ParseRoles(r.PostForm["role"])
	field := "role-" + string(access.AllRoles[0])
	var secret access.Secret
	if err == nil {
		field = "invite-email"
		_, secret, err = p.Access.Invite(r.Context(), access.Invitee{Name: d.Name, Email: d.Email, Language: nearest(d.Tongue), Roles: roles})
	}
	if err != nil {
		errs, err := p.tie(lang, err, field)
		if err != nil {
			return err
		}
		return p.showAccounts(w, r, http.StatusUnprocessableEntity, d, errs)
	}
	return p.showAccounts(w, r, http.StatusOK, accountsData{Link: p.House().Origin + "/invite/" + string(secret), For: d.Name}, nil)
}

// personData is one account as an administrator sees it.
type personData struct {
	Account     access.Account
	Credentials []access.CredentialInfo
	Sessions    []access.Session
	Tokens      []access.Token
	Roles       []access.Role
	MayWrite    bool
	Self        bool
	Link        string // a fresh invitation, shown once
}

func (p *Portal) accountOf(w http.ResponseWriter, r *http.Request) error {
	return p.showPerson(w, r, http.StatusOK, "", nil)
}

func (p *Portal) showPerson(w http.ResponseWriter, r *http.Request, code int, link string, errs []fieldError) error {
	ctx := r.Context()
	a, err := p.Access.Account(ctx, access.AccountID(r.PathValue("id")))
	if err != nil {
		return err
	}
	d := personData{Account: a, Roles: access.AllRoles, MayWrite: p.may(r, access.AccountManage), Self: access.From(ctx).Account == a.ID, Link: link}
	if d.Credentials, err = p.Access.Credentials(ctx, a.ID); err != nil {
		return err
	}
	if d.Sessions, err = p.Access.Sessions(ctx, a.ID); err != nil {
		return err
	}
	if d.Tokens, err = p.Access.Tokens(ctx, a.ID); err != nil {
		return err
	}
	v := p.page(r, "")
	v.Wide, v.Data, v.Errors = true, d, errs
	return p.render(w, r, code, "person", v)
}

// changeAccount does one thing to an account: the button that was pressed names it.
func (p *Portal) changeAccount(w http.ResponseWriter, r *http.Request) error {
	ctx, id := r.Context(), access.AccountID(r.PathValue("id"))
	var err error
	done, field := r.PostFormValue("do"), ""
	switch done {
	case "roles":
		var roles access.Roles
		field = "role-" + string(access.AllRoles[0])
		if roles, err = access.ParseRoles(r.PostForm["role"]); err == nil {
			err = p.Access.SetRoles(ctx, id, roles)
		}
	case "disable":
		done, err = "", p.Access.Disable(ctx, id) // the status of the page says it
	case "enable":
		done, err = "", p.Access.Enable(ctx, id)
	case "session":
		if r.PostFormValue("session") == "" { // which would mean all of them
			return errNothingNamed
		}
		done, err = "ended", p.Access.EndSession(ctx, id, r.PostFormValue("session"))
	case "token":
		done, err = "ended", p.Access.RevokeToken(ctx, id, r.PostFormValue("token"))
	case "invite":
		var secret access.Secret
		if secret, err = p.Access.InviteAgain(ctx, id); err == nil {
			return p.showPerson(w, r, http.StatusOK, p.House().Origin+"/invite/"+string(secret), nil)
		}
	default:
		return errNothingNamed
	}
	if err != nil {
		errs, err := p.tie(p.page(r, "").Lang, err, field)
		if err != nil {
			return err
		}
		return p.showPerson(w, r, http.StatusUnprocessableEntity, "", errs)
	}
	to := "/admin/accounts/" + string(id)
	if done != "" {
		to += "?done=" + done
	}
	return back(w, r, to)
}
