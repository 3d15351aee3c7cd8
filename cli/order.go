package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"chancery.example/fault"
	"chancery.example/notify"
	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/rules"
	"chancery.example/server/api"
)

type orderCmd struct {
	Create orderCreateCmd `cmd:"" help:"Order a certificate; its mailbox gets a mail and must confirm."`
	List   orderListCmd   `cmd:"" help:"Search orders, newest first."`
	Show   orderShowCmd   `cmd:"" help:"See an order."`
	Resend orderResendCmd `cmd:"" help:"Send another confirmation mail."`
	Link   orderLinkCmd   `cmd:"" help:"Send a new pick-up link to the ordered mailbox."`
	Cancel orderCancelCmd `cmd:"" help:"Cancel an order before its certificate is made."`
	Fetch  orderFetchCmd  `cmd:"" help:"Print an order's certificate with its chain."`
}

type orderCreateCmd struct {
	houseFlags
	jsonFlag
	Mailbox   string `arg:"" help:"The address that the certificate is for."`
	Profile   string `placeholder:"NAME" help:"mv-strict (default) or mv-multipurpose."`
	Language  string `default:"en" help:"Language of mails and pages for the holder."`
	Request   string `placeholder:"FILE" help:"A PKCS#10 request; without it a key is born at pick-up."`
	Agreement string `placeholder:"VERSION" required:"" help:"The version of the subscriber agreement that the holder accepts. \"current\" for the one in force."`
}

func (o *orderCreateCmd) Run(c *Console) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	var text struct{ Version, SHA256 string }
	if err := k.call(c.Ctx, http.MethodGet, "/api/v1/agreement", url.Values{"language": {o.Language}}, nil, &text); err != nil {
		return err
	}
	if o.Agreement != "current" && o.Agreement != text.Version {
		return fault.New(fault.Conflict, "agreement.changed", "The agreement in force is version %s, not %s.", text.Version, o.Agreement)
	}
	in := map[string]string{"mailbox": o.Mailbox, "language": o.Language, "agreement": text.Version, "agreement_sha256": text.SHA256}
	if o.Profile != "" {
		in["profile"] = o.Profile
	}
	if o.Request != "" {
		raw, err := os.ReadFile(o.Request)
		if err != nil {
			return fault.Wrap(err, fault.Invalid, "request.file", "The request %s cannot be read: %v", o.Request, err)
		}
		in["request"] = string(raw)
	}
	var made api.Order
	if err := k.call(c.Ctx, http.MethodPost, "/api/v1/orders", nil, in, &made); err != nil {
		return err
	}
	return o.show(c, made, func(w io.Writer) {
		fmt.Fprintf(w, "%s: a mail with a link is on its way to %s.\n", made.ID, made.Mailbox)
		life := rules.Duration(rules.MailboxRandomValueLife, made.CreatedAt)
		fmt.Fprintf(w, "Its link is valid until %s (%s); the order ends on %s unless the mailbox confirms.\n", day(made.CreatedAt.Add(life)), hours(life), day(*made.Deadline))
	})
}

type orderListCmd struct {
	houseFlags
	jsonFlag
	limitFlag
	Text  string `arg:"" optional:"" help:"Part of the address or the ID."`
	State string `placeholder:"STATE" help:"Only orders in this state: confirming, approved, issued, delivered, …"`
}

// Validate refuses a state that no order can be listed by, and says which there are.
func (o *orderListCmd) Validate() error {
	if err := o.limitFlag.Validate(); err != nil {
		return err
	}
	known := listable()
	if o.State == "" || slices.Contains(known, o.State) {
		return nil
	}
	if o.State == string(order.Expired) {
		return badUsage("--state expired: that an order expired is told by its deadline, so it is listed by the state in which it stopped; choose of %s", strings.Join(known, ", "))
	}
	return badUsage("--state %s is no state of an order; choose of %s", o.State, strings.Join(known, ", "))
}

// listable are the states in which orders are stored, in the order of their path.
func listable() []string {
	var known []string
	for _, m := range order.Path {
		if !slices.Contains(known, string(m.To)) {
			known = append(known, string(m.To))
		}
	}
	return known
}

// none is what is said when no order was found.
func (o *orderListCmd) none() string {
	switch {
	case o.State != "":
		return "No order in state " + o.State + matching(o.Text) + "."
	case o.Text != "":
		return "No order" + matching(o.Text) + "."
	}
	return "No orders yet. Place one with: chancery order create ADDRESS --agreement current"
}

// matching names the text that was searched for, where there was one.
func matching(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" with %q", text)
}

func (o *orderListCmd) Run(c *Console) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	var list struct{ Orders []api.Order }
	q := url.Values{"text": {o.Text}, "state": {o.State}, "limit": {strconv.Itoa(o.Limit)}}
	if err := k.call(c.Ctx, http.MethodGet, "/api/v1/orders", q, nil, &list); err != nil {
		return err
	}
	return o.show(c, list.Orders, func(w io.Writer) {
		if len(list.Orders) == 0 {
			fmt.Fprintln(w, o.none())
			return
		}
		fmt.Fprintln(w, "ORDER\tSTATE\tMAILBOX\tPROFILE\tCREATED")
		for _, one := range list.Orders {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", one.ID, one.State, one.Mailbox, one.Profile, day(one.CreatedAt))
		}
	})
}

// oneOrder is what the commands about one order take.
type oneOrder struct {
	houseFlags
	ID string `arg:"" name:"order" help:"The order's ID."`
}

func (o *oneOrder) path(rest string) string { return "/api/v1/orders/" + url.PathEscape(o.ID) + rest }

type orderShowCmd struct {
	oneOrder
	jsonFlag
}

func (o *orderShowCmd) Run(c *Console) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	var one api.Order
	if err := k.call(c.Ctx, http.MethodGet, o.path(""), nil, nil, &one); err != nil {
		return err
	}
	if o.JSON {
		return o.show(c, one, nil)
	}
	var post struct{ Mails []api.Mail }
	if err := k.call(c.Ctx, http.MethodGet, "/api/v1/mails", url.Values{"order": {one.ID}, "limit": {"500"}}, nil, &post); err != nil {
		return err
	}
	return o.show(c, one, func(w io.Writer) { printOrder(w, one, post.Mails) })
}

// links says, for a state that waits for a person, which mails carry the link and for how long it may be followed.
func links(state string) (kinds []string, life rules.Period, again string) {
	switch order.State(state) {
	case order.Confirming:
		return []string{string(workflow.MailConfirm)}, rules.MailboxRandomValueLife, "resend"
	case order.Approved:
		return []string{string(workflow.MailReady), string(workflow.MailPickup)}, rules.PickUpLinkLife, "link"
	}
	return nil, "", ""
}

// hours is a length of time as a person says it.
func hours(d time.Duration) string { return fmt.Sprintf("%.0f h", d.Hours()) }

func printOrder(w io.Writer, o api.Order, mails []api.Mail) {
	fmt.Fprintf(w, "Order\t%s\nMailbox\t%s\nState\t%s\n", o.ID, o.Mailbox, o.State)
	if o.WaitsFor != "" {
		fmt.Fprintf(w, "Waits for\t%s\n", o.WaitsFor)
	}
	printLink(w, o, mails)
	if o.Deadline != nil {
		fmt.Fprintf(w, "Ends\t%s, unless that is done before\n", day(*o.Deadline))
	}
	fmt.Fprintf(w, "Profile\t%s\nAgreement\t%s\nOrdered\t%s by %s\n", o.Profile, o.Agreement, day(o.CreatedAt), o.OrderedBy)
	if o.Serial != "" {
		fmt.Fprintf(w, "Certificate\t%s\n", o.Serial)
	}
	if o.Renews != "" {
		fmt.Fprintf(w, "Renews\t%s\n", o.Renews)
	}
	for _, r := range o.Reasons {
		fmt.Fprintf(w, "Reason\t%s (%s)\n", r.Text, r.Rule)
	}
	for _, m := range mails {
		if note := trouble(m); note != "" {
			fmt.Fprintf(w, "Mail\t%s\n", note)
		}
	}
}

// printLink tells of the newest link that a person still has to follow. Mails come newest first.
func printLink(w io.Writer, o api.Order, mails []api.Mail) {
	kinds, life, again := links(o.State)
	for _, m := range mails {
		if m.SentAt != nil && slices.Contains(kinds, m.Kind) {
			fmt.Fprintf(w, "Link\tmailed %s, valid for %s from then; another one: chancery order %s %s\n",
				day(*m.SentAt), hours(rules.Duration(life, *m.SentAt)), again, o.ID)
			return
		}
	}
}

// trouble says what is wrong with a mail, and nothing of one that left or waits for its turn.
func trouble(m api.Mail) string {
	switch {
	case m.LastError == "" || m.SentAt != nil:
		return ""
	case m.State == string(notify.Failed):
		return fmt.Sprintf("%q to %s was given up after %d attempts: %s", m.Kind, m.To, m.Attempts, m.LastError)
	case m.Attempts == 1:
		return fmt.Sprintf("%q to %s could not be sent yet (1 attempt; it is tried again): %s", m.Kind, m.To, m.LastError)
	}
	return fmt.Sprintf("%q to %s could not be sent yet (%d attempts; it is tried again): %s", m.Kind, m.To, m.Attempts, m.LastError)
}

type orderResendCmd struct{ oneOrder }

func (o *orderResendCmd) Run(c *Console) error {
	return o.post(c, "/resend", nil, "A new confirmation mail is on its way to %s.\n")
}

type orderLinkCmd struct{ oneOrder }

func (o *orderLinkCmd) Run(c *Console) error {
	return o.post(c, "/pickup-link", nil, "A new pick-up link is on its way to %s.\n")
}

type orderCancelCmd struct {
	oneOrder
	Reason string `help:"Why."`
}

func (o *orderCancelCmd) Run(c *Console) error {
	return o.post(c, "/cancel", map[string]string{"reason": o.Reason}, "The order for %s is cancelled.\n")
}

// post makes a call about one order and says that it was done.
func (o *oneOrder) post(c *Console, rest string, in any, done string) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	var one api.Order
	if err := k.call(c.Ctx, http.MethodPost, o.path(rest), nil, in, &one); err != nil {
		return err
	}
	fmt.Fprintf(c.Stdout, done, one.Mailbox)
	return nil
}

type orderFetchCmd struct{ oneOrder }

func (o *orderFetchCmd) Run(c *Console) error {
	k, err := o.dial(c)
	if err != nil {
		return err
	}
	body, err := k.open(c.Ctx, http.MethodGet, o.path("/certificate"), nil, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(c.Stdout, io.LimitReader(body, maxAnswer))
	return err
}
