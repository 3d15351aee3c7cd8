package portal

import (
	"net/http"

	"chancery.example/ra/order"
	"chancery.example/ra/workflow"
	"chancery.example/server/access"
)

// Route is one address of the portal.
type Route struct {
	Method  string // GET or POST
	Pattern string // of http.ServeMux, without the method
	// Action is what the route does; empty where it does nothing that anybody could be refused (the front page, sign-in).
	Action access.Action
	// Link says that the bearer of a link asks: the secret in the address decides, and no account can take its place.
	Link bool
	// On is what the action is done to; empty for the house as a whole.
	On      access.ResourceKind
	Handler http.Handler
}

// Routes lists every route of the portal with the action that it is.
func (p *Portal) Routes() []Route {
	var all []Route
	free := func(method, pattern string, h handler) {
		all = append(all, Route{Method: method, Pattern: pattern, Handler: p.open(h)})
	}
	// asks is for what anybody may do and the house counts as an action.
	asks := func(method, pattern string, a access.Action, h handler) {
		all = append(all, Route{Method: method, Pattern: pattern, Action: a, Handler: p.guarded(a, h)})
	}
	link := func(method, pattern string, purpose order.Purpose, a access.Action, h func(http.ResponseWriter, *http.Request, held) error) {
		all = append(all, Route{Method: method, Pattern: pattern, Action: a, On: access.AnOrder, Link: true, Handler: p.bearer(purpose, a, h)})
	}
	all = append(all, Route{Method: "GET", Pattern: "/assets/{version}/{name}", Handler: http.HandlerFunc(p.assets.serve)})

	// For anybody.
	free("GET", "/{$}", p.front)
	free("GET", "/ca", p.authorities)
	free("GET", "/check", p.check)
	free("POST", "/check", p.findAgain)
	free("POST", "/strength", p.strength)
	asks("GET", "/order", access.OrderCreate, p.orderForm)
	asks("POST", "/order", access.OrderCreate, p.placeOrder)

	// For the bearers of links.
	link("GET", "/confirm/{secret}", order.ToConfirm, access.OrderConfirm, p.confirmPage)
	link("POST", "/confirm/{secret}", order.ToConfirm, access.OrderConfirm, p.confirm)
	link("POST", "/confirm/{secret}/disown", order.ToConfirm, access.OrderCancel, p.disown)
	link("GET", "/o/{secret}", order.ToStatus, access.OrderRead, p.statusPage)
	link("POST", "/o/{secret}/inform", order.ToStatus, access.OrderInform, p.inform)
	link("POST", "/o/{secret}/received", order.ToStatus, access.OrderInform, p.received)
	link("POST", "/o/{secret}/cancel", order.ToStatus, access.OrderCancel, p.cancel)
	link("GET", "/o/{secret}/certificate", order.ToStatus, access.CertificateRead, p.ownCertificate)
	link("GET", "/o/{secret}/install", order.ToStatus, access.OrderRead, p.installPage)
	link("GET", "/o/{secret}/revoke", order.ToStatus, access.CertificateRevoke, p.revokePage)
	link("POST", "/o/{secret}/revoke", order.ToStatus, access.CertificateRevoke, p.revoke)
	link("GET", "/o/{secret}/renew", order.ToStatus, access.OrderRenew, p.renewPage)
	link("POST", "/o/{secret}/renew", order.ToStatus, access.OrderRenew, p.renew)
	link("GET", "/pickup/{secret}", order.ToPickup, access.OrderPickup, p.pickupPage)
	link("POST", "/pickup/{secret}", order.ToPickup, access.OrderPickup, p.pickup)
	link("POST", "/pickup/{secret}/received", order.ToPickup, access.OrderPickup, p.pickupReceived)
	// The bearer of a dead link may have a fresh one sent to the ordered mailbox, and nothing else.
	free("POST", "/again/{purpose}/{secret}", p.again)

	// Signing in and one's own account.
	free("GET", "/signin", p.signInPage)
	free("POST", "/signin", p.signIn)
	free("POST", "/signin/passkey/begin", p.passkeyBegin)
	free("POST", "/signin/passkey", p.passkeyFinish)
	free("POST", "/signout", p.signOut)
	for _, at := range []string{"/setup/{secret}", "/invite/{secret}"} {
		free("GET", at, p.setupPage)
		free("POST", at, p.setup)
		free("POST", at+"/passkey", p.setupPasskey)
	}
	asks("GET", "/account", access.SelfRead, p.accountPage)
	asks("POST", "/account/password", access.SelfManage, p.changePassword)
	asks("GET", "/account/totp", access.SelfManage, p.totpPage)
	asks("POST", "/account/totp", access.SelfManage, p.totp)
	asks("POST", "/account/passkey/begin", access.SelfManage, p.newPasskeyBegin)
	asks("POST", "/account/passkey", access.SelfManage, p.newPasskey)
	asks("POST", "/account/codes", access.SelfManage, p.newCodes)
	asks("POST", "/account/remove", access.SelfManage, p.removeCredential)
	asks("POST", "/account/session", access.SelfManage, p.endSession)
	asks("POST", "/account/token", access.TokenCreate, p.newToken)
	asks("POST", "/account/token/revoke", access.SelfManage, p.revokeToken)

	return append(all, p.staffRoutes()...)
}

// staffRoutes are for those who work here, and for holders and requesters who have an account.
func (p *Portal) staffRoutes() []Route {
	var all []Route
	asks := func(method, pattern string, a access.Action, h handler) {
		all = append(all, Route{Method: method, Pattern: pattern, Action: a, Handler: p.guarded(a, h)})
	}
	order := func(method, pattern string, a access.Action, h func(http.ResponseWriter, *http.Request, workflow.Page) error) {
		all = append(all, Route{Method: method, Pattern: pattern, Action: a, On: access.AnOrder, Handler: p.onOrder(a, h)})
	}
	certificate := func(method, pattern string, a access.Action, h func(http.ResponseWriter, *http.Request, owned) error) {
		all = append(all, Route{Method: method, Pattern: pattern, Action: a, On: access.ACertificate, Handler: p.onCertificate(a, h)})
	}
	asks("GET", "/home", access.SelfRead, p.home)
	asks("GET", "/admin", access.HouseRead, p.overview)
	asks("GET", "/admin/orders", access.OrderList, p.orders)
	order("GET", "/admin/orders/{id}", access.OrderRead, p.orderPage)
	order("POST", "/admin/orders/{id}/inform", access.OrderInform, p.orderInform)
	order("POST", "/admin/orders/{id}/cancel", access.OrderCancel, p.orderCancel)
	asks("GET", "/admin/certificates", access.CertificateList, p.certificates)
	certificate("GET", "/admin/certificates/{serial}", access.CertificateRead, p.certificatePage)
	certificate("GET", "/admin/certificates/{serial}/file", access.CertificateRead, p.certificateFile)
	certificate("GET", "/admin/certificates/{serial}/revoke", access.CertificateRevoke, p.certificateRevokePage)
	certificate("POST", "/admin/certificates/{serial}/revoke", access.CertificateRevoke, p.certificateRevoke)
	asks("GET", "/admin/outbox", access.OutboxRead, p.outbox)
	asks("GET", "/admin/outbox/{id}", access.OutboxRead, p.outboxMail)
	asks("GET", "/admin/audit", access.AuditRead, p.auditLog)
	asks("POST", "/admin/audit/proof", access.AuditRead, p.auditProof)
	asks("GET", "/admin/ca", access.CARead, p.caPage)
	asks("GET", "/admin/accounts", access.AccountRead, p.accounts)
	asks("POST", "/admin/accounts/invite", access.AccountManage, p.invite)
	asks("GET", "/admin/accounts/{id}", access.AccountRead, p.accountOf)
	asks("POST", "/admin/accounts/{id}", access.AccountManage, p.changeAccount)
	return all
}
