package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"chancery.example/fault"
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
		fmt.Fprintf(w, "%s: a mail is on its way to %s, which must confirm until %s.\n", made.ID, made.Mailbox, day(*made.Deadline))
	})
}

type orderListCmd struct {
	houseFlags
	jsonFlag
	Text  string `arg:"" optional:"" help:"Part of the address or the ID."`
	State string `placeholder:"STATE" help:"Only orders in this state."`
	Limit int    `default:"50" help:"At most so many (1 to 500)."`
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
			fmt.Fprintln(w, "No orders. Place one with: chancery order create ADDRESS --agreement current")
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
	return o.show(c, one, func(w io.Writer) { printOrder(w, one) })
}

func printOrder(w io.Writer, o api.Order) {
	fmt.Fprintf(w, "Order\t%s\nMailbox\t%s\nState\t%s\n", o.ID, o.Mailbox, o.State)
	if o.WaitsFor != "" {
		fmt.Fprintf(w, "Waits for\t%s", o.WaitsFor)
		if o.Deadline != nil {
			fmt.Fprintf(w, ", until %s", day(*o.Deadline))
		}
		fmt.Fprintln(w)
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
