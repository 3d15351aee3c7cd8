package access

import (
	"context"
	"net/http"
	"strings"

	"chancery.example/fault"
)

// Refuse writes an error as the answer of a door: a page, or a problem document.
type Refuse func(w http.ResponseWriter, r *http.Request, err error)

type operatorKey struct{}

// OperatorContext marks every request of a server as the operator's. It is meant as http.Server.BaseContext for the
// listener of the socket in the data directory, which only its owner can open, and for nothing else.
func OperatorContext(ctx context.Context) context.Context {
	return context.WithValue(ctx, operatorKey{}, true)
}

// Authenticate finds out who asks and puts them into the request's context, where From finds them: the operator, the
// holder of an API token, whoever signed in with this browser, or nobody in particular. A token that is not good is
// refused and never falls back to a cookie.
func (a *Access) Authenticate(next http.Handler, refuse Refuse) http.Handler {
	browser := a.sessions.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := browsingOf(r.Context())
		who := Principal{Client: b.client}
		if b.session != nil {
			who = personOf(b.account, *b.session)
			who.Client = b.client
		}
		next.ServeHTTP(w, r.WithContext(As(r.Context(), who)))
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := a.clients.of(r)
		header, ok := r.Header["Authorization"]
		switch {
		case r.Context().Value(operatorKey{}) != nil:
			next.ServeHTTP(w, r.WithContext(As(r.Context(), Principal{Kind: Operator, Name: "operator", Client: client})))
		case ok:
			who, err := a.program(r.Context(), strings.Join(header, ","), client)
			if err != nil {
				refuse(w, r, err)
				return
			}
			next.ServeHTTP(w, r.WithContext(As(r.Context(), who)))
		default:
			b := &browsing{client: client, refuse: refuse}
			browser.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), browsingKey{}, b)))
		}
	})
}

// Require lets a request through to next when who asks may do this to the house. Handlers of single orders and
// certificates call Allow themselves, when they know which one it is about.
func (a *Access) Require(do Action, next http.Handler, refuse Refuse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.Allow(From(r.Context()), do, Resource{}); err != nil {
			refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Protect refuses what a browser sends on behalf of another site and what would change something.
func (a *Access) Protect(next http.Handler, refuse Refuse) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.origins.Check(r); err != nil {
			refuse(w, r, fault.Wrap(err, fault.Denied, "access.cross-origin",
				"This request came from another site and was refused. Please open the portal itself and try again."))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// contentPolicy allows nothing that does not come from the portal itself; pictures may stand in the page.
const contentPolicy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Headers sets what every page of the portal and every answer of the API has in common. Handlers of files that never
// change overwrite Cache-Control.
//
// Referrer-Policy is no-referrer because the addresses of some pages are secrets. A browser then sends "Origin: null"
// with forms; Protect goes by Sec-Fetch-Site, which browsers send to https and to localhost since 2023.
func (a *Access) Headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cache-Control", "no-store")
		if a.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}
