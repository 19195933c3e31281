"""What the app may do in a workspace, scope by scope, and what is lost without it. The manifest asks for the same."""

from __future__ import annotations

from typing import Final

from index.bilingual import Bilingual

SCOPES: Final = {
    "app_mentions:read": Bilingual("hearing mentions", "接收 @ 提及"),
    "assistant:write": Bilingual("the status while thinking, suggested prompts", "思考状态与推荐问题"),
    "channels:history": Bilingual("follow-ups in threads of public channels", "公开频道里的追问"),
    "chat:write": Bilingual("answering", "回答"),
    "chat:write.public": Bilingual(
        "/shortlist in public channels it has not joined", "在未加入的公开频道使用 /shortlist"
    ),
    "commands": Bilingual("slash commands and the message shortcut", "斜杠命令与消息快捷方式"),
    "files:read": Bilingual("data sets dropped into a thread", "读取消息列里的数据文件"),
    "files:write": Bilingual("charts and reports in the thread", "在消息列里上传图表与报告"),
    "groups:history": Bilingual("follow-ups in private channels", "私有频道里的追问"),
    "im:history": Bilingual("direct messages", "私信"),
    "im:read": Bilingual("knowing direct conversations", "识别私信会话"),
    "im:write": Bilingual("telling one person what cannot be told in a channel", "私信通知"),
    "mpim:history": Bilingual("group messages", "多人私信"),
    "reactions:write": Bilingual("reactions", "表情回应"),
    "usergroups:read": Bilingual("roles that a user group has", "用户组的角色"),
    "users:read": Bilingual("names, so that a card need not mention anybody", "显示姓名而不打扰本人"),
}
