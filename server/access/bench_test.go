package access_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"chancery.example/server/access"
)

// BenchmarkAuthenticate is what it costs a request to find out who asks and whether they may.
func BenchmarkAuthenticate(b *testing.B) {
	h := newHouse(b)
	p := h.first()
	var secret access.Secret
	h.must(p.in(func(ctx context.Context) (err error) {
		_, secret, err = h.NewToken(ctx, access.TokenRequest{Name: "bench", Roles: access.Roles{access.Administrator}})
		return err
	}))
	handler := h.Authenticate(h.Require(access.AuditRead, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil), nil)
	for name, set := range map[string]func(*http.Request){
		"token":   func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+string(secret)) },
		"session": func(r *http.Request) { r.AddCookie(p.cookie) },
	} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, origin+"/", nil)
			set(r)
			b.ReportAllocs()
			for b.Loop() {
				handler.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
