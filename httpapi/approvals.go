package httpapi

import (
	"context"
	"fmt"
	"net/http"

	"strongroom/audit"
	"strongroom/engine"
)

func approvalRoutes() []route {
	none, stale := engine.ErrApprovalNotFound, engine.ErrApprovalStale
	return []route{
		endpoint("GET", "/v1/approvals", 200, readAll, "List the requests for what needs two persons, in the order in which they were made", listApprovals),
		endpoint("GET", "/v1/approvals/:id", 200, readAll, "Read a request for approval", getApproval, none),
		stream("POST", "/v1/approvals/:id/approve", admin, "Carry out what another admin asked for; the answer, status and body, is what the request would have got", jsonMedia, approve, none, stale),
		endpoint("POST", "/v1/approvals/:id/reject", 200, admin, "End a request for approval; who asked may take it back", rejectApproval, none, stale),
	}
}

type approvalsQuery struct {
	Status engine.ApprovalStatus `query:"status" enum:"waiting|granted|rejected|expired" doc:"A page may then be short, and have a cursor."`
	paging
}

func listApprovals(ctx context.Context, c caller, in approvalsQuery) (reply[List[Approval]], error) {
	page, err := c.vault.Approvals(ctx, in.Status, in.paging.engine())
	return answer(listOf(page, approvalOf)), err
}

type approvalInput struct {
	ID string `path:"id"`
}

func getApproval(ctx context.Context, c caller, in approvalInput) (reply[Approval], error) {
	a, err := c.vault.Approval(ctx, in.ID)
	return answer(approvalOf(a)), err
}

func rejectApproval(ctx context.Context, c caller, in approvalInput) (reply[Approval], error) {
	a, receipt, err := c.vault.RejectApproval(ctx, c.actor, in.ID)
	return reply[Approval]{body: approvalOf(a), receipt: receipt}, err
}

// ask answers what was refused because it needs two persons: with the request for
// approval, in place of the usual answer.
func (s *Server) ask(ctx context.Context, c caller, x *exchange, needs *engine.NeedsTwoError) error {
	a, receipt, err := c.vault.RequestApproval(ctx, c.actor, needs)
	if err != nil {
		return err
	}
	return send(x, http.StatusAccepted, reply[Approval]{body: approvalOf(a), receipt: receipt, location: "/v1/approvals/" + a.ID})
}

type approval struct {
	PlanDigest string `json:"planDigest" required:"true" doc:"That of the request, as it was seen."`
}

type approveInput struct {
	ID       string   `path:"id"`
	Approval approval `body:"json"`
}

func approve(c caller, x *exchange, r *http.Request, in approveInput) error {
	plan, err := audit.ParseHash(in.Approval.PlanDigest)
	if err != nil {
		return inBody("planDigest", "must be that of the request for approval")
	}
	granted, receipt, err := c.vault.Approve(r.Context(), c.actor, in.ID, plan)
	if err != nil {
		return err
	}
	return answerGranted(c, x, r, granted, receipt)
}

// answerGranted answers as the call would have been answered that was approved.
func answerGranted(c caller, x *exchange, r *http.Request, granted engine.Granted, receipt engine.Receipt) error {
	switch is := granted.Result.(type) {
	case engine.Hold:
		return send(x, http.StatusOK, changedHold(is, receipt))
	case []engine.HoldOutcome:
		return x.server.inSteps(x, r, func(context.Context) ([]bulkOutcome, bool, error) { return mapped(is, holdOutcome), false, nil })
	case engine.Erasure:
		return send(x, http.StatusAccepted, askedErasure(is, receipt))
	case engine.Certificate:
		return send(x, http.StatusOK, issuedCertificate(is, receipt))
	case engine.Lock:
		out, _ := changedLock(c, is, receipt, nil)
		return send(x, http.StatusOK, out)
	case engine.Run:
		return send(x, http.StatusAccepted, startedRun(is, receipt))
	case engine.Settings:
		return send(x, http.StatusOK, changedSettings(is, receipt))
	case engine.Issued:
		return send(x, http.StatusCreated, shownOnce(is.Key, is.Secret, receipt))
	case engine.IssuedClient:
		if granted.Approval.Call == "client.create" {
			return send(x, http.StatusCreated, createdClient(is.Client, is.Secret, receipt))
		}
		return send(x, http.StatusOK, clientShownOnce(is.Client, is.Secret, receipt))
	case *engine.Bag:
		return streamBag(x, r, is)
	case engine.Client:
		return send(x, http.StatusOK, changedClient(is, receipt))
	case engine.User:
		if granted.Approval.Call == "user.create" {
			return send(x, http.StatusCreated, createdUser(is, receipt))
		}
		return send(x, http.StatusOK, changedUser(is, receipt))
	case engine.Policy:
		switch granted.Approval.Call {
		case "policy.create":
			return send(x, http.StatusCreated, createdPolicy(is, receipt))
		case "policy.delete":
			return send(x, http.StatusOK, reply[Policy]{body: policyOf(is), receipt: receipt})
		}
		return send(x, http.StatusOK, changedPolicy(is, receipt))
	}
	return fmt.Errorf("what was approved as %s has no answer: %T", granted.Approval.Call, granted.Result)
}
