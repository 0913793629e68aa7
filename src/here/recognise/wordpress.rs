//! WordPress, as it is downloaded, and Bedrock, which installs it with Composer.

use crate::here::recognise::kind::{Need, ProjectKind, RecipeBase, ServedBy};
use crate::here::recognise::marks::Marks;

pub fn wordpress(marks: &Marks) -> Option<ProjectKind> {
    let files = ["wp-includes/version.php", "wp-config-sample.php", "wp-config.php", "wp-settings.php"];
    let mark = marks.first(&files)?;
    let kind = ProjectKind::new("WordPress", &[mark], RecipeBase::Shipped("wordpress"), ServedBy::Php);
    Some(kind.shares(["wp-config.php", "wp-content/uploads/"]).needs("wp-config.php", Need::Written))
}

pub fn bedrock(marks: &Marks) -> Option<ProjectKind> {
    let is_bedrock = marks.has_directory("web/app") && marks.has("config/application.php");
    if !(marks.requires("roots/wordpress") || is_bedrock) {
        return None;
    }
    let shared = [".env", "web/app/uploads/"];
    let local =
        ["/.github/", "node_modules/", "*.sql", "/web/app/uploads/", "/web/app/cache/", "/web/app/upgrade/"];
    let kind = ProjectKind::new(
        "Bedrock",
        &["composer.json", "web/app"],
        RecipeBase::Shipped("wordpress"),
        ServedBy::Php,
    );
    let kind = kind
        .web_root("web")
        .list("shared", shared, "kept between releases")
        .list("exclude", local, "")
        .list("generated", ["web/app/cache/", "web/app/upgrade/"], "written on the server")
        .list("writable", ["web/app/cache/", "web/app/uploads/"], "")
        .set("copy", "auto", "Bedrock forbids WordPress to change its own files");
    Some(kind.shares(shared).needs(".env", Need::Written))
}
