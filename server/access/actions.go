package access

// Action is one thing that can be done in the house. Every route names the action that it is.
type Action string

// The actions of the house; Actions says what each means.
const (
	OrderCreate  Action = "order.create"
	OrderRead    Action = "order.read"
	OrderList    Action = "order.list"
	OrderConfirm Action = "order.confirm"
	OrderInform  Action = "order.inform"
	OrderPickup  Action = "order.pickup"
	OrderCancel  Action = "order.cancel"
	OrderRenew   Action = "order.renew"
	OrderDecide  Action = "order.decide"

	CertificateRead   Action = "certificate.read"
	CertificateList   Action = "certificate.list"
	CertificateRevoke Action = "certificate.revoke"

	HouseRead     Action = "house.read"
	CARead        Action = "ca.read"
	CAManage      Action = "ca.manage"
	OutboxRead    Action = "outbox.read"
	OutboxRetry   Action = "outbox.retry"
	AuditRead     Action = "audit.read"
	MetricsRead   Action = "metrics.read"
	SettingsRead  Action = "settings.read"
	SettingsWrite Action = "settings.write"

	AccountRead   Action = "account.read"
	AccountManage Action = "account.manage"
	SelfRead      Action = "self.read"
	SelfManage    Action = "self.manage"
	TokenCreate   Action = "token.create"
)

// Meaning is a row of Actions.
type Meaning struct {
	Action Action
	On     ResourceKind // what it is done to
	Means  string
}

// Actions is every action of the house with the sentence that says what it means.
var Actions = []Meaning{
	{OrderCreate, House, "Place an order for a mailbox; the mailbox itself must then agree."},
	{OrderRead, AnOrder, "See one order: its state, its history and who must act next."},
	{OrderList, House, "Search the orders of everybody."},
	{OrderConfirm, AnOrder, "Prove control of the ordered mailbox by the link that was sent there."},
	{OrderInform, AnOrder, "Have fresh links sent to the ordered mailbox."},
	{OrderPickup, AnOrder, "Have the key made and the certificate signed, and take the file."},
	{OrderCancel, AnOrder, "End an order before its certificate is made."},
	{OrderRenew, AnOrder, "Place a new order with the same claims and a new key."},
	{OrderDecide, AnOrder, "Decide by hand whether a claim is proved."},

	{CertificateRead, ACertificate, "See one certificate and what became of it."},
	{CertificateList, House, "Search the certificates of everybody."},
	{CertificateRevoke, ACertificate, "Revoke a certificate, with a reason."},

	{HouseRead, House, "See the overview: counts, queues and warnings."},
	{CARead, House, "See the hierarchy, its keys' places and its revocation lists."},
	{CAManage, House, "Have revocation lists made and keys of the house changed."},
	{OutboxRead, House, "Read the mails that the house wrote, with the links in them."},
	{OutboxRetry, House, "Have a mail sent again that failed."},
	{AuditRead, House, "Read the audit log and prove its chain."},
	{MetricsRead, House, "Read the counters for monitoring."},
	{SettingsRead, House, "See what the house is set to."},
	{SettingsWrite, House, "Change what the house is set to."},

	{AccountRead, House, "See who has an account, with which roles and sessions."},
	{AccountManage, House, "Invite, disable and enable people, change their roles, end their sessions and tokens."},
	{SelfRead, House, "See one's own account, sessions and tokens."},
	{SelfManage, House, "Change one's own password, authenticator app, passkeys and recovery codes; end own sessions and tokens."},
	{TokenCreate, House, "Make an API token with some of one's own roles."},
}

// ResourceKind is what an action is done to.
type ResourceKind string

// The kinds of resource.
const (
	House        ResourceKind = "house"
	AnOrder      ResourceKind = "order"
	ACertificate ResourceKind = "certificate"
)
