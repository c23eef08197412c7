"""Who is in a project and who is invited; for leads."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotate import access
from annotate.api.base.errors import Problem
from annotate.api.base.schema import PAGE_PARAMETERS, paged
from annotate.api.base.views import checked, page
from annotate.forms.people import DAYS, LONGEST_GUEST, MOST_GUESTS
from annotate.models import Invitation, Membership
from annotate.models.members import Role
from annotate.services.mail import outbox
from annotate.services.people import invitations
from annotate.services.people.api_keys import Scope
from annotate.services.projects import members
from annotate.services.projects.refused import Refused
from annotate.tasks import wake


class MemberSerializer(serializers.ModelSerializer[Membership]):
    username = serializers.CharField(source="user.username")

    class Meta:
        model = Membership
        fields = ["id", "username", "role"]


class MemberRequest(serializers.Serializer[Any]):
    username = serializers.CharField(max_length=150, help_text="Of somebody who has an account.")
    role = serializers.ChoiceField(Role.choices, default=Role.ANNOTATOR)


class RoleRequest(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Role.choices)


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    invited_by = serializers.CharField(source="invited_by.username")

    class Meta:
        model = Invitation
        fields = ["id", "guest", "role", "invited_by", "created_at", "expires_at"]


class InvitationRequest(serializers.Serializer[Any]):
    guests = serializers.ListField(
        child=serializers.CharField(max_length=LONGEST_GUEST),
        min_length=1,
        max_length=MOST_GUESTS,
        help_text="A name or an address each; each gets a link of their own.",
    )
    role = serializers.ChoiceField(Role.choices, default=Role.ANNOTATOR)
    days = serializers.ChoiceField(DAYS, default=7, help_text="For how long the links work.")
    by_mail = serializers.BooleanField(
        default=False,
        help_text="Send the links to those given as an e-mail address; they are told to nobody.",
    )


class NewInvitationSerializer(InvitationSerializer):
    link = serializers.CharField(
        allow_null=True,
        help_text="Lets one person in, once. It is told only now; null: it is sent by mail.",
    )

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "link"]


class MembersView(APIView):
    scopes = {"GET": Scope.MEMBERS_READ, "POST": Scope.MEMBERS_WRITE}

    @extend_schema(
        operation_id="list_members",
        summary="List the members of a project",
        parameters=PAGE_PARAMETERS,
        responses=paged(MemberSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        return page(self, request, project.memberships.select_related("user"), MemberSerializer)

    @extend_schema(
        operation_id="add_member",
        summary="Add somebody who has an account",
        request=MemberRequest,
        responses={201: MemberSerializer},
    )
    def post(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        asked = checked(MemberRequest, request.data)
        try:
            added = members.add_member(project=project, by=access.signed_in(request.user), **asked)
        except Refused as refusal:
            raise _problem(refusal) from refusal
        return Response(MemberSerializer(added).data, status=HTTPStatus.CREATED)


class MemberView(APIView):
    scopes = {"PATCH": Scope.MEMBERS_WRITE, "DELETE": Scope.MEMBERS_WRITE}

    @extend_schema(
        operation_id="change_role",
        summary="Give a member another role",
        request=RoleRequest,
        responses=MemberSerializer,
    )
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        membership = _membership(request, slug, pk)
        role = checked(RoleRequest, request.data)["role"]
        try:
            changed = members.change_role(membership=membership, role=role, by=access.signed_in(request.user))
        except Refused as refusal:
            raise _problem(refusal) from refusal
        return Response(MemberSerializer(changed).data)

    @extend_schema(
        operation_id="remove_member",
        summary="End a membership; their answers stay, and the members page can undo it for a day",
        responses={204: None},
    )
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        membership = _membership(request, slug, pk)
        try:
            members.remove_member(membership=membership, by=access.signed_in(request.user))
        except Refused as refusal:
            raise _problem(refusal) from refusal
        return Response(status=HTTPStatus.NO_CONTENT)


class InvitationsView(APIView):
    scopes = {"GET": Scope.MEMBERS_READ, "POST": Scope.MEMBERS_WRITE}

    @extend_schema(
        operation_id="list_invitations",
        summary="List the open invitations",
        parameters=PAGE_PARAMETERS,
        responses=paged(InvitationSerializer),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        rows = project.invitations.open().select_related("invited_by")
        return page(self, request, rows, InvitationSerializer)

    @extend_schema(
        operation_id="invite",
        summary="Make a link for each guest, which lets one person in",
        request=InvitationRequest,
        responses={201: NewInvitationSerializer(many=True)},
    )
    def post(self, request: Request, slug: str) -> Response:
        project = access.led_project_for(request.user, slug)
        asked = checked(InvitationRequest, request.data)
        if asked["by_mail"] and not outbox.is_configured():
            raise Problem(HTTPStatus.CONFLICT, "no_mail", "This site sends no mail. Ask for links instead.")
        try:
            issued, mails = outbox.invite(project=project, by=access.signed_in(request.user), **asked)
        except Refused as refusal:
            raise _problem(refusal) from refusal
        wake(mails)
        told = [
            {
                **InvitationSerializer(invitation).data,
                "link": request.build_absolute_uri(reverse("invitation", args=[token])) if token else None,
            }
            for invitation, token in issued
        ]
        return Response(told, status=HTTPStatus.CREATED)


class InvitationView(APIView):
    scopes = {"DELETE": Scope.MEMBERS_WRITE}

    @extend_schema(operation_id="revoke_invitation", summary="Take an invitation back", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        project = access.led_project_for(request.user, slug)
        if not invitations.revoke(project=project, pk=pk, by=access.signed_in(request.user)):
            raise Http404
        return Response(status=HTTPStatus.NO_CONTENT)


def _membership(request: Request, slug: str, pk: int) -> Membership:
    project = access.led_project_for(request.user, slug)
    return get_object_or_404(project.memberships.select_related("user", "project"), pk=pk)


def _problem(refusal: Refused) -> Problem:
    return Problem(HTTPStatus.CONFLICT, "refused", str(refusal))
