package portal_test

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

func awaitPromise(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

func TestAPasskeySetsUpTheFirstAdministratorAndSignsIn(t *testing.T) {
	ctx := chromium(t)
	h := openHouse(t, time.Now)
	run(t, ctx, webauthn.Enable(), chromedp.ActionFunc(addAuthenticator))
	var at, heading string
	run(t, ctx,
		chromedp.Navigate(h.doors.Setup+"?lang=en"),
		chromedp.SendKeys("#name", "Ada"), chromedp.SendKeys("#email", "ada@example.com"),
		chromedp.Click("#way-passkey"), chromedp.Click("main form button[type=submit]"),
		chromedp.WaitVisible(".verdict"), chromedp.Location(&at), chromedp.Text(".flash", &heading))
	if at != h.doors.Portal+"/admin?done=ready" {
		t.Fatalf("after the set-up the browser is at %s", at)
	}
	run(t, ctx, chromedp.Click("nav.who form button"), chromedp.WaitVisible("form.passkey button"),
		chromedp.Click("form.passkey button"), chromedp.WaitVisible(".verdict"), chromedp.Location(&at))
	if at != h.doors.Portal+"/admin" {
		t.Fatalf("after signing in the browser is at %s", at)
	}
}

// addAuthenticator plugs in an authenticator that always finds its user.
func addAuthenticator(ctx context.Context) error {
	_, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}).Do(ctx)
	return err
}
